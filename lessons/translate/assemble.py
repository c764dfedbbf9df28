"""The Chinese notebook and README: the English one's code and outputs, the Chinese texts.

Nothing is executed: the words of outputs are made again (spoken.py). What has no Chinese yet stays English, sentences with a
mark.
"""

import copy
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from lessons.language.blocks import translated
from lessons.language.outputs import OUTPUTS, Tell
from lessons.language.words import GLOSSARY
from lessons.teaching.course_map import BEGIN, END, course_map
from lessons.teaching.notebooks import NOTEBOOKS, write
from lessons.teaching.said import Say
from lessons.teaching.wording import sections
from lessons.translate.glossary import CHINESE as GLOSSARY_ZH
from lessons.translate.glossary import glossary_in_chinese
from lessons.translate.po import po_of, translations
from lessons.translate.spoken import one_step_further, spoken
from lessons.translate.texts import COURSE, EXERCISES, README, TOLD, around_map

ZH_NOTEBOOKS = NOTEBOOKS / "zh"
MARK = "未翻译"
EXPERIMENT = "实验"
LESSON = re.compile(r"\]\(lessons/notebooks/(?!zh/)")
"""README's way to a lesson; the Chinese one's leads to the Chinese lesson."""


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
