"""The term base: the glossary's Chinese word for each English one. One term for one thing."""

import re
from collections.abc import Iterator
from functools import cache

from lessons.teaching.notebooks import LESSONS

EVERYDAY = {
    "rank",
    "merging",
    "inputs",
    "output",
    "outputs",
    "weights",
    "residual",
    "mask",
    "strategy",
    "layer",
    "task",
    "prompt",
    "scale",
    "shift",
}
"""Terms that are plain words too: where they stand, the thing may not be meant."""


@cache
def terms() -> dict[str, tuple[str, ...]]:
    """English term → the Chinese words that may stand for it."""
    found: dict[str, tuple[str, ...]] = {}
    for line in (LESSONS / "glossary.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) < 5 or not line.startswith("|") or set(cells[0]) <= set("-: ") or cells[1] == "English":
            continue
        chinese = tuple(re.sub(r"[(（].*?[)）]", "", word).strip() for word in re.split(r"\s*/\s*|、", cells[0]))
        for english in re.split(r"\s*/\s*|, ", cells[1]):
            name = re.sub(r"\(.*?\)", "", english).strip().lower()
            if len(name) > 3 and name not in EVERYDAY:
                found[name] = (*found.get(name, ()), *chinese)
    return found


def unlike_glossary(english: str, chinese: str) -> Iterator[str]:
    """The terms of a text that its translation calls otherwise. A term may also stay English."""
    text, said = english.lower(), chinese.lower()
    for term, words in terms().items():
        is_used = re.search(rf"(?<![\w-]){re.escape(term)}s?(?![\w-])", text)
        if is_used and not any(word.lower() in said for word in (term, *words)):
            yield f"{term!r} is {' or '.join(words)} in the glossary"
