"""A message of the grader in the language that is spoken.

A message comes as English text: a part of it was written in the process of a student's file, of which nothing but text is
taken. So its templates are looked for in it, here and nowhere else. A line is one that the .po file has, or it fits one of
its templates from end to end: first those that begin with text of their own, as a heading does whatever sentence follows it,
and of them that with most text of its own; what stands in the template's places is read in the same way. What fits none stays English.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from string import Formatter

from lessons.language.choice import CHINESE, language
from lessons.language.po import po_of, translations
from lessons.language.words import CLINIC, GRADERS, MESSAGES, SPOKEN, chinese, endings, joined

LEAST_TEXT = 4
"""Letters that a template has of its own; one with fewer fits too much."""

BETWEEN = re.compile(r"(, |: | \(|\))")
FULL_WIDTH = {", ": "，", ": ": "：", " (": "（", ")": "）"}
"""What parts the pieces of a name: "the merged bias (attention, with bias)"."""

CODE = re.compile(r"self\.\w+ = ")
"""A line of Python: how an object's parameter is set. Its words are names."""

PROSE = re.compile(r"(?<![\w.])[a-z]{2,}(?: [a-z]{2,}){2}(?![\w.(=])")
PYTHONS_OWN = re.compile(
    r"\w*(?:Error|Exception|Warning|Failed)\b(?:[:：].*)?|第 \d+ 行：.*|line \d+: .*|a tensor of shape"
)
"""What Python says, and a line of the student's."""


@dataclass(frozen=True)
class Template:
    """An entry with places for values: what an English line must look like, and the Chinese.

    `own`      letters that are no value's
    `begins`   whether it begins with some of them: "value: {name}: {said}"
    """

    pattern: re.Pattern[str]
    own: int
    said: str
    begins: bool


@cache
def templates() -> list[Template]:
    """Those with most text of their own first."""
    known: dict[str, str] = {}
    for name in reversed(SPOKEN):
        known |= translations(po_of(name))
    found = [template for english, said in known.items() if (template := template_of(english, said))]
    return sorted(found, key=lambda template: -template.own)


def template_of(english: str, said: str) -> Template | None:
    """Nothing for a text without places, or with hardly anything else."""
    try:
        parts = list(Formatter().parse(english))
    except ValueError:
        return None
    own = sum(len(re.findall(r"\w", text)) for text, _, _, _ in parts)
    if own < LEAST_TEXT or not any(name for _, name, _, _ in parts):
        return None
    pattern, seen = "", set[str]()
    for text, name, _, _ in parts:
        pattern += re.escape(text)
        if name:
            # What is glued to a word, as a question behind it, may be missing.
            some = ".*?" if text[-1:].isalnum() else ".+?"
            pattern += f"(?P={name})" if name in seen else f"(?P<{name}>{some})"
            seen.add(name)
    return Template(re.compile(pattern), own, said, begins=bool(parts[0][0]))


@cache
def words_of_messages() -> dict[str, str]:
    return {
        english: said for name in (CLINIC, GRADERS, MESSAGES) for english, said in translations(po_of(name)).items()
    }


def in_language(message: str) -> str:
    return in_chinese(message) if language() == CHINESE else message


def in_chinese(message: str) -> str:
    return "\n".join(spoken(line) for line in message.split("\n"))


def spoken(line: str) -> str:
    """One line, or one value of a line."""
    text = line.strip()
    if CODE.match(text):
        return line
    known = said_exactly(text) or fitted(text, begins=True) or in_pieces(text) or fitted(text, begins=False)
    head, parted, cause = text.partition(": ")
    if not known and parted and (said := spoken(cause)) != cause:  # behind a name or a value of the student's
        known = (heading(head) if head else "") + FULL_WIDTH[parted] + said
    return line.replace(text, known) if known else line


def heading(text: str) -> str:
    """A single word may be a name in Python, as `before`: what a command's column is called is no answer to it."""
    return words_of_messages().get(text, text) if text.isidentifier() else spoken(text)


def fitted(text: str, begins: bool) -> str:
    """By the first template that it fits; empty where it fits none."""
    for template in templates():
        if template.begins == begins and (found := template.pattern.fullmatch(text)):
            values = {name: spoken(value) for name, value in found.groupdict().items()}
            return joined(template.said.format(**values))
    return ""


def said_exactly(text: str) -> str:
    """The Chinese of a text that the .po files have as it stands; empty where they have not."""
    found = chinese().get(text.replace("{", "{{").replace("}", "}}"), "") if text else ""
    return found.replace("{{", "{").replace("}}", "}") or endings().get(text, "")


def in_pieces(text: str) -> str:
    """A name made of several, each of them known, or a word or number that stays; empty where it is none."""
    pieces = BETWEEN.split(text)
    names = [piece for piece in pieces[::2] if piece]
    if len(names) < 2 or not any(" " in name and said_exactly(name) for name in names):
        return ""
    if not all(said_exactly(name) or " " not in name for name in names):
        return ""
    return "".join(FULL_WIDTH.get(piece, said_exactly(piece) or piece) for piece in pieces)


def untranslated(message: str) -> list[str]:
    """The lines in which English prose is left: three plain words in a row. Python's own words are Python's."""
    return [line for line in in_chinese(message).split("\n") if list(prose_in(line))]


def prose_in(line: str) -> Iterator[str]:
    yield from PROSE.findall(PYTHONS_OWN.sub("", line.strip()))
