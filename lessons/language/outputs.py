"""What an output shows (a figure's label, a table's cell, a printed line) in Chinese. Its numbers and names are no part of an entry.

"top-k 3"                        top-k {1}
"off by 0.125"                   off by {1}
"result [[3. 2.]]"               result {1}
"kˈæt" , "[1.0, 2.0]" , "$W$"    nothing to tell
"""

import re
from collections.abc import Callable, Iterator
from functools import cache

from rich.cells import cell_len

from lessons.language.po import po_of, translations
from lessons.language.words import joined

OUTPUTS = "outputs"
"""The .po file of these entries."""

Tell = Callable[[str], str | None]
"""An entry → its Chinese, or nothing."""

IPA = "ˈˌːɑɒæəɜɪʊʌθðʃʒŋɛɹɔɡʤʧᵻɾ"
PAIRS = r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]|\{[^{}]*\}"
VALUE = re.compile(
    rf"\$[^$]*\$|`[^`]*`|\[[^\]]*\]\([^)]*\)|{PAIRS}|(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"|\S*[{IPA}][^\s,;:'\"\])}}]*"
    r"|(?<![A-Za-z_\d.])(?<![A-Za-z]-)\d+(?:[.,]\d+)*(?:e[-+]?\d+)?(?!\w)"
)
"""What is put into an entry: formulas, code, lists, quoted texts, sounds, numbers."""

PLACE = re.compile(r"\{(\d+)\}")
NAMES = re.compile(
    r"<\|\w+\|>|\w*_\w*|[\w/-]+(?:\.[\w-]+)+|[A-Za-z]\w*\(|\S+…|\b[A-Z][A-Z0-9]+\b|\b\w*[a-z][A-Z]\w*|\b(?:True|False|None|nan|inf)\b"
)
"""Marks of tokens, identifiers, calls, what is cut, abbreviations, words with a marked letter, constants: the same everywhere."""

WORD = re.compile(r"[A-Za-z]{2}")
PIECE = re.compile(r"\S+(?: \S+)*")
GAP = 2
"""Blanks that part the columns of a printed line."""


@cache
def outputs_in_chinese() -> dict[str, str]:
    return translations(po_of(OUTPUTS))


def template_of(text: str) -> tuple[str, list[str]]:
    """The entry of a text on one line, and what stands in its places {1}, {2}, ..."""
    values: list[str] = []

    def place(found: re.Match[str]) -> str:
        values.append(found[0])
        return f"{{{len(values)}}}"

    return VALUE.sub(place, " ".join(text.split())), values


def has_words(template: str) -> bool:
    return bool(WORD.search(NAMES.sub(" ", PLACE.sub(" ", template))))


def told(text: str, tell: Tell) -> str:
    """The text in Chinese, with its values; itself, where there is none."""
    template, values = template_of(text)
    said = tell(template) if has_words(template) else None
    return text if said is None else joined(PLACE.sub(lambda found: values[int(found[1]) - 1], said))


def printed(text: str, tell: Tell) -> str:
    """Lines in Chinese, their columns where they stood: a Chinese character is two cells wide."""
    return "\n".join(printed_line(line, tell) for line in text.split("\n"))


def printed_line(line: str, tell: Tell) -> str:
    return in_columns(line, lambda piece: told(piece, tell))


def in_columns(line: str, said: Callable[[str], str]) -> str:
    """The pieces of a line in other words, each where it stood."""
    made = ""
    for piece in PIECE.finditer(line):
        blanks = max(piece.start() - cell_len(made), GAP if made else 0)
        made += " " * blanks + said(piece[0])
    return made + " " * (len(line) - len(line.rstrip()))


def asked_in(text: str) -> Iterator[str]:
    """The entries of printed lines. A single word beside sounds is an example, not asked for."""
    for line in text.split("\n"):
        pieces = [template_of(piece)[0] for piece in PIECE.findall(line)]
        is_example = any(piece == "{1}" for piece in pieces) and re.search(rf"[{IPA}]", line)
        for piece in pieces:
            if has_words(piece) and not (is_example and piece.isalpha()):
                yield piece
