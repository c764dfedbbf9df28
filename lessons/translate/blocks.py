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
    inside = ""
    for line in text.splitlines():
        if not line.strip() and not inside:
            found.append([])
            continue
        found[-1].append(line.rstrip() if not line.endswith("  ") else line)
        for mark in (FENCE, DISPLAY):
            if inside in ("", mark) and line.count(mark) % 2:
                inside = "" if inside else mark
    return ["\n".join(lines) for lines in found if lines]


def is_text(block: str) -> bool:
    """Whether it is translated."""
    bare = block.strip()
    is_formula = bare.startswith(DISPLAY) and bare.endswith(DISPLAY) and bare.count(DISPLAY) == 2
    return not (bare.startswith(FENCE) or is_formula or BARE_TAG.fullmatch(bare) or re.fullmatch(r"[-*_]{3,}", bare))


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


def entries(text: str) -> list[str]:
    """What is to be translated of a text, in its order."""
    return [one_line_each(block) for block in blocks(text) if is_text(block)]


def translated(text: str, translate: Callable[[str], str]) -> str:
    """The text with every entry given to `translate`."""
    return "\n\n".join(translate(one_line_each(block)) if is_text(block) else block for block in blocks(text))
