"""The Chinese notebook and README: the English one's code and outputs, the Chinese texts.

Nothing is executed: an output that says something carries its templates and values (lessons/teaching/said.py), and its words
are made of them again. A figure keeps its picture; its finding stands above it in Chinese. What has no Chinese yet stays
English, with a mark.
"""

import copy
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from lessons.page.words import PAGE
from lessons.teaching.course_map import BEGIN, END, course_map
from lessons.teaching.diagram import described
from lessons.teaching.legend import legend
from lessons.teaching.notebooks import NOTEBOOKS, write
from lessons.teaching.said import KEY, Say, Values, said_again
from lessons.teaching.source import FOLDED
from lessons.teaching.templates import filled
from lessons.teaching.wording import sections
from lessons.translate.blocks import translated
from lessons.translate.po import po_of, translations
from lessons.translate.texts import COURSE, EXERCISES, GRADERS, MESSAGES, README, around_map
from lessons.translate.words import LABELS, VALUES

ZH_NOTEBOOKS = NOTEBOOKS / "zh"
MARK = "未翻译"
EXPERIMENT = "实验"
LESSON = re.compile(r"\]\(lessons/notebooks/(?!zh/)")
"""README's way to a lesson; the Chinese one's leads to the Chinese lesson."""

OUTSIDE = re.compile(r"(\]\()(\.\./)")
"""A link that leaves the notebooks' folder; from lessons/notebooks/zh/ it has one step more to go."""


def build(name: str) -> Path | None:
    """Writes one lesson's notebook, or README.zh.md. Raises ValueError where the English notebook is not there."""
    if name == "README":
        path = README.with_name("README.zh.md")
        path.write_text(readme_in_chinese(speaker(name)), encoding="utf-8")
        return path
    if name in (COURSE, EXERCISES, MESSAGES, GRADERS, PAGE):
        return None
    english = NOTEBOOKS / f"{name}.ipynb"
    if not english.is_file():
        raise ValueError(f"there is no {english}: `python -m lessons.teaching.build {name}` makes it")
    path = ZH_NOTEBOOKS / english.name
    write(in_chinese(nbformat.read(english, as_version=4), speaker(name)), path)
    return path


def readme_in_chinese(say: Say) -> str:
    before, after = around_map(README.read_text(encoding="utf-8"))
    table = course_map(say, "lessons/notebooks/zh", told)
    parts = [translated(before, say, rows=True), BEGIN, table, END, translated(after, say, rows=True)]
    return LESSON.sub("](lessons/notebooks/zh/", "\n\n".join(parts)) + "\n"


def told(source: Path) -> str:
    """What README's map says of a lesson: the finding of its first experiment's figure, else its question."""
    path = ZH_NOTEBOOKS / f"{source.stem}.ipynb"
    if not path.is_file():
        return ""
    notebook = nbformat.read(path, as_version=4)
    for heading, cell in sections(notebook):
        for words, picture in zip(cell.get("outputs", []), cell.get("outputs", [])[1:]):
            if heading.startswith(EXPERIMENT) and "image/png" in picture.get("data", {}) and is_title(words):
                return str(words.data["text/markdown"]).strip("*")
    questions = re.findall(r"[^。？！]+？", notebook.cells[0].source.split("\n\n")[1])
    return questions[-1].strip(" *") if questions else ""


def is_title(output: NotebookNode) -> bool:
    return bool(re.fullmatch(r"\*\*.+\*\*", output.get("data", {}).get("text/markdown", "")))


def speaker(name: str) -> Say:
    """English → Chinese for one file: its own entries, then those of the course; without one, the English with a mark."""
    known: dict[str, str] = {}
    for each in (EXERCISES, COURSE, name):
        known |= translations(po_of(each))
    return lambda english: known.get(english) or marked(english)


def marked(english: str) -> str:
    return (
        english
        if not english.strip()
        else f"{english} 〔{MARK}〕"
        if "\n" not in english
        else f"{english}\n\n〔{MARK}〕"
    )


def in_chinese(notebook: NotebookNode, say: Say) -> NotebookNode:
    """A copy with Chinese texts: cell for cell the same code, the same numbers and pictures."""
    made = copy.deepcopy(notebook)
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = one_step_further(translated(cell.source, say))
        else:
            cell.outputs = [output for each in cell.outputs for output in spoken(each, say)]
    return made


def one_step_further(text: str) -> str:
    return OUTSIDE.sub(r"\1../\2", text)


def spoken(output: NotebookNode, say: Say) -> list[NotebookNode]:
    """An output in Chinese: one, or for a figure its title and the picture."""
    said = output.get("metadata", {}).get(KEY)
    if said is None:
        return [output]
    said = {**said, "values": {name: told_value(value, say) for name, value in said["values"].items()}}
    made = copy.deepcopy(output)
    below = legend(said.get("labels", ()), LABELS, say)
    if said["by"] == "lit_diagram":
        made.metadata["image/png"]["alt"] = described(say(said["texts"][0]), said["values"])
        return [made, *([markdown_output(below)] if below else [])]
    if said["by"] == "show_figure":
        title, alt = (filled(say(text), said["values"]) for text in said["texts"])
        made.metadata["image/png"]["alt"] = alt
        return [markdown_output(closed_up(f"**{title}**")), made, *([markdown_output(below)] if below else [])]
    if said["by"] == "show_source":
        made.data["text/markdown"] = unfolded(made.data["text/markdown"], said["values"], say)
        return [made]
    plain, rich, kind = said_again(said, say)
    plain, rich = closed_up(plain), closed_up(rich)
    made.data = nbformat.from_dict({kind: one_step_further(rich or plain), "text/plain": plain})
    return [made]


def told_value(value: Any, say: Say) -> Any:
    """A value in Chinese: one of the course's words, or a list with such in it."""
    if isinstance(value, list):
        return [told_value(each, say) for each in value]
    return say(value) if isinstance(value, str) and value in VALUES else value


def closed_up(text: str) -> str:
    """Without the space that stood beside a value which became Chinese itself."""
    return re.sub(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])", "", text)


def unfolded(markdown: str, values: Values, say: Say) -> str:
    """The line behind which an exercise's answer is folded."""
    if "title" not in values:
        return markdown
    told = say(FOLDED).format(file=values["file"], title=say(values["title"]))
    return markdown.replace(FOLDED.format(**values), told, 1)


def markdown_output(text: str) -> NotebookNode:
    return nbformat.v4.new_output("display_data", {"text/markdown": text, "text/plain": text})
