"""A Markdown text in blocks: headings, paragraphs, lists, tables. Each is one entry of a translation.

What is the same in every language is no entry: a code block, a displayed formula alone, a bare HTML tag.
"""

import re
from collections.abc import Callable

FENCE, DISPLAY = "```", "$$"
BARE_TAG = re.compile(r"(?:</?[a-z]+>\s*)+")
ITEM = re.compile(r"\s*(?:[-*]|\d+\.)\s")


def blocks(text: str) -> list[str]:
    """The text cut at its blank lines; a code block or a formula over several lines is one block."""
    found: list[list[str]] = [[]]
    inside = ""  # the mark that will close what is open
    for line in text.splitlines():
        if not line.strip() and not inside:
            found.append([])
            continue
        if not inside and found[-1] and found[-1][-1].startswith("#") and not found[-1][-1].startswith("#!"):
            found.append([])  # a heading ends where its line ends
        found[-1].append(line.rstrip() if not line.endswith("  ") else line)
        for mark in (FENCE, DISPLAY):
            if inside in ("", mark) and line.count(mark) % 2:
                inside = "" if inside else mark
    return ["\n".join(lines) for lines in found if lines]


def is_text(block: str) -> bool:
    """Whether it is translated."""
    bare = block.strip()
    is_formula = bare.startswith(DISPLAY) and bare.endswith(DISPLAY) and bare.count(DISPLAY) == 2
    is_code = bare.startswith(FENCE) or all(line.startswith("    ") for line in block.splitlines())
    is_mark = BARE_TAG.fullmatch(bare) or re.fullmatch(r"<!--.*-->|[-*_]{3,}", bare, re.DOTALL)
    return not (is_code or is_formula or is_mark)


def one_line_each(block: str) -> str:
    """A paragraph, or an item of a list, on one line: where the source breaks its lines is no part of an entry."""
    lines: list[str] = []
    for line in block.splitlines():
        begins = not lines or ITEM.match(line) or line.lstrip().startswith(("|", "#", ">", "<"))
        if begins or lines[-1].endswith("  ") or lines[-1].startswith(("|", "#")):
            lines.append(line)
        else:
            lines[-1] += " " + line.strip()
    return "\n".join(lines)


def is_row(line: str) -> bool:
    """A row of a table that has words: not of numbers, code and links alone."""
    bare = re.sub(r"`[^`]*`|\]\([^)]*\)", "", line)
    return bool(re.search(r"[A-Za-z]{2}", bare))


def entries(text: str, rows: bool = False) -> list[str]:
    """What is to be translated of a text, in its order; with `rows` each row of a table is an entry, if it has words."""
    found = [one_line_each(block) for block in blocks(text) if is_text(block)]
    if not rows:
        return found
    apart = [block.splitlines() if block.startswith("|") else [block] for block in found]
    return [part for parts in apart for part in parts if not part.startswith("|") or is_row(part)]


def translated(text: str, translate: Callable[[str], str], rows: bool = False) -> str:
    """The text with every entry given to `translate`."""

    def one(block: str) -> str:
        whole = one_line_each(block)
        if not rows or not whole.startswith("|"):
            return translate(whole)
        return "\n".join(translate(line) if is_row(line) else line for line in whole.splitlines())

    return "\n\n".join(one(block) if is_text(block) else block for block in blocks(text))


def kind_of(block: str) -> str:
    """What a block of Markdown is, for the translator."""
    if block.startswith("#"):
        return "heading"
    if block.startswith("|"):
        return "table"
    return "list" if ITEM.match(block) else "paragraph"
