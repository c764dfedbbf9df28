"""The glossary in Chinese: the same terms, lessons and files; the sentence of each is told in Chinese."""

import re
from collections.abc import Iterator
from pathlib import Path

from lessons.teaching.notebooks import LESSONS
from lessons.teaching.said import Say
from lessons.translate.po import Text

ENGLISH, CHINESE = LESSONS / "glossary.md", LESSONS / "glossary.zh.md"
RULE = re.compile(r"[-|: ]+")
WHAT = 2
"""Which cell of a row says what the term is."""

HEAD = ("what it is", "lesson", "code")
BEHIND_THE_POINT = re.compile(r" · .*$")
LESSON = re.compile(r"\]\(notebooks/(?!zh/)")
HAN = re.compile(r"[\u4e00-\u9fff]")


def glossary_texts() -> Iterator[Text]:
    """The heads of the columns, then what each term is."""
    for word in HEAD:
        yield Text(word, "the heading of a column", (where(ENGLISH), 0))
    for number, line in enumerate(ENGLISH.read_text(encoding="utf-8").splitlines(), start=1):
        cells = cells_of(line)
        if cells and cells[WHAT] not in HEAD:
            yield Text(cells[WHAT], f"what {cells[0]} is", (where(ENGLISH), number))


def glossary_in_chinese(say: Say) -> str:
    """The page: headings without their English half, and no English paragraph."""
    lines = [chinese_line(line, say) for line in ENGLISH.read_text(encoding="utf-8").splitlines()]
    text = "\n".join(line for line in lines if line is not None)
    return re.sub(r"\n{3,}", "\n\n", text) + "\n"


def chinese_line(line: str, say: Say) -> str | None:
    """None for a line of an English paragraph."""
    if line.startswith("# "):
        return f"# {line.partition(' · ')[2]}"
    if line.startswith("#"):
        return BEHIND_THE_POINT.sub("", line)
    if cells := cells_of(line):
        told = [say(cell) if index == WHAT or cell in HEAD else cell for index, cell in enumerate(cells)]
        return LESSON.sub("](notebooks/zh/", f"| {' | '.join(told)} |")
    return line if not line or line.startswith("|") or "的" in line else None


def cells_of(line: str) -> list[str]:
    """None for what is no row of a table, and for the rule below its head."""
    if not line.startswith("|") or RULE.fullmatch(line):
        return []
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def where(path: Path) -> str:
    return str(path.relative_to(LESSONS.parent))
