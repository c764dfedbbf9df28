"""The Chinese notebook and README: the English one's code and outputs, the Chinese texts.

Nothing is executed: an output that says something carries its templates and values (lessons/teaching/said.py), and its words
are made of them again. A figure carries the pixels that differ in Chinese; its finding stands above it. Printed lines are
told by their entries (lessons/language/outputs.py). What has no Chinese yet stays English, sentences with a mark.
"""

import copy
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from lessons.language.blocks import translated
from lessons.language.outputs import OUTPUTS, Tell, printed, told
from lessons.language.words import GLOSSARY
from lessons.teaching.course_map import BEGIN, END, course_map
from lessons.teaching.diagram import described
from lessons.teaching.legend import legend
from lessons.teaching.notebooks import NOTEBOOKS, write
from lessons.teaching.redrawn import laid_over
from lessons.teaching.said import KEY, Say, Values, said_again
from lessons.teaching.source import FOLDED
from lessons.teaching.templates import filled
from lessons.teaching.wording import sections
from lessons.translate.checks import HAN
from lessons.translate.glossary import CHINESE as GLOSSARY_ZH
from lessons.translate.glossary import glossary_in_chinese
from lessons.translate.po import po_of, translations
from lessons.translate.seen import OF_NAMES
from lessons.translate.texts import COURSE, EXERCISES, README, TOLD, around_map
from lessons.translate.words import VALUES

ZH_NOTEBOOKS = NOTEBOOKS / "zh"
MARK = "未翻译"
EXPERIMENT = "实验"
LESSON = re.compile(r"\]\(lessons/notebooks/(?!zh/)")
"""README's way to a lesson; the Chinese one's leads to the Chinese lesson."""

OUTSIDE = re.compile(r"(\]\()(\.\./)")
"""A link that leaves the notebooks' folder; from lessons/notebooks/zh/ it has one step more to go."""


def build(name: str) -> Path | None:
    """Writes one lesson's notebook, README.zh.md or the glossary. Raises ValueError where the English notebook is not there."""
    if name == GLOSSARY:
        GLOSSARY_ZH.write_text(glossary_in_chinese(speaker(name)), encoding="utf-8")
        return GLOSSARY_ZH
    if name == "README":
        path = README.with_name("README.zh.md")
        path.write_text(readme_in_chinese(speaker(name)), encoding="utf-8")
        return path
    if name in TOLD:
        return None
    english = NOTEBOOKS / f"{name}.ipynb"
    if not english.is_file():
        raise ValueError(f"there is no {english}: `python -m lessons.teaching.build {name}` makes it")
    path = ZH_NOTEBOOKS / english.name
    write(in_chinese(nbformat.read(english, as_version=4), speaker(name), teller()), path)
    return path


def readme_in_chinese(say: Say) -> str:
    before, after = around_map(README.read_text(encoding="utf-8"))
    table = course_map(say, "lessons/notebooks/zh", told_of)
    parts = [translated(before, say, rows=True), BEGIN, table, END, translated(after, say, rows=True)]
    text = LESSON.sub("](lessons/notebooks/zh/", "\n\n".join(parts)) + "\n"
    return text.replace("](lessons/glossary.md)", "](lessons/glossary.zh.md)")


def told_of(source: Path) -> str:
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


def teller() -> Tell:
    """Entry → Chinese, of what outputs show."""
    return translations(po_of(OUTPUTS)).get


def marked(english: str) -> str:
    return (
        english
        if not english.strip()
        else f"{english} 〔{MARK}〕"
        if "\n" not in english
        else f"{english}\n\n〔{MARK}〕"
    )


def in_chinese(notebook: NotebookNode, say: Say, tell: Tell) -> NotebookNode:
    """A copy with Chinese texts: cell for cell the same code, the same numbers and pictures."""
    made = copy.deepcopy(notebook)
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = one_step_further(translated(cell.source, say))
        else:
            cell.outputs = [output for each in cell.outputs for output in spoken(each, say, tell)]
    return made


def one_step_further(text: str) -> str:
    return OUTSIDE.sub(r"\1../\2", text)


def spoken(output: NotebookNode, say: Say, tell: Tell) -> list[NotebookNode]:
    """An output in Chinese: one, or for a figure its title and the picture."""
    made = copy.deepcopy(output)
    if output.output_type == "stream":
        made.text = printed(output.text, tell)
    said = output.get("metadata", {}).get(KEY)
    if said is None:
        return [made]
    if said["by"] not in OF_NAMES:
        said = {**said, "values": {name: told_value(value, say, tell) for name, value in said["values"].items()}}
    if said["by"] == "show_source":
        made.data["text/markdown"] = unfolded(made.data["text/markdown"], said["values"], say)
        return [made]
    if "image/png" in made.get("data", {}):
        return drawn(made, said, say, tell)
    plain, rich, kind = said_again(said, say)
    plain, rich = closed_up(plain), closed_up(rich)
    made.data = nbformat.from_dict({kind: one_step_further(rich or plain), "text/plain": plain})
    return [made]


def drawn(made: NotebookNode, said: dict[str, Any], say: Say, tell: Tell) -> list[NotebookNode]:
    """A figure: its finding, the picture, and below one that was not drawn in Chinese what its words mean."""
    overlay, shown = made.metadata[KEY].pop("overlay", None), [made]
    if said["by"] == "show_figure":
        title, alt = (filled(say(text), said["values"]) for text in said["texts"])
        shown = [markdown_output(closed_up(f"**{title}**")), made]
    else:
        alt = described(say(said["texts"][0]), said["values"], lambda name: told(name, tell))
    made.metadata["image/png"]["alt"] = made.data["text/plain"] = closed_up(alt)
    if overlay is not None:
        made.data["image/png"] = laid_over(made.data["image/png"], overlay)
    elif below := legend(said.get("labels", ()), say, tell):
        shown.append(markdown_output(below))
    return shown


def told_value(value: Any, say: Say, tell: Tell) -> Any:
    """A value in Chinese: one of the course's words, or a list with such in it."""
    if isinstance(value, list):
        return [told_value(each, say, tell) for each in value]
    if not isinstance(value, str):
        return value
    return say(value) if value in VALUES else told(value, tell)


LIST = re.compile(rf"(?<=[{HAN}]), (?=[{HAN}`\w])|(?<=[`\w]), (?=[{HAN}])|(?<=`), (?=`)")
"""The comma between two things of which one is Chinese, or both are code."""


def closed_up(text: str) -> str:
    """Without the space that stood beside a value which became Chinese itself, and with the comma of a Chinese list."""
    return LIST.sub("、", re.sub(rf"(?<=[{HAN}]) (?=[{HAN}])", "", text))


def unfolded(markdown: str, values: Values, say: Say) -> str:
    """The line behind which an exercise's answer is folded."""
    if "title" not in values:
        return markdown
    told = say(FOLDED).format(file=values["file"], title=say(values["title"]))
    return markdown.replace(FOLDED.format(**values), told, 1)


def markdown_output(text: str) -> NotebookNode:
    return nbformat.v4.new_output("display_data", {"text/markdown": text, "text/plain": text})
