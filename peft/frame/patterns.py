"""Many paths written as one, so that a table of all that an adapter has fits a terminal.

encoder.layers.{0-2}.self_attention.{q,k,v,out}_proj        stands for 3 · 4 = 12 paths: every combination of its words
"""

from collections.abc import Iterator, Sequence
from math import prod

Pattern = tuple[tuple[str, ...], ...]
"""For each part of a path the words that stand there."""


def written_as_one(paths: Sequence[str], widest: int) -> list[tuple[str, int]]:
    """Few texts that stand for all the paths, with how many each stands for; none of several is wider than `widest`."""
    patterns: list[Pattern] = [tuple((word,) for word in path.split(".")) for path in paths]
    parts = list(reversed(range(max(map(len, patterns)))))
    numbers = [part for part in parts if any(path.split(".")[part : part + 1] == ["0"] for path in paths)]
    for part in [*numbers, *parts]:  # layers first
        patterns = joined(patterns, part, widest)
    return [(text_of(pattern), prod(map(len, pattern))) for pattern in patterns]


def joined(patterns: Sequence[Pattern], part: int, widest: int) -> list[Pattern]:
    """Patterns that differ in one part only become one."""
    found: dict[tuple[Pattern, ...], list[Pattern]] = {}
    for pattern in patterns:
        before, here, after = pattern[:part], pattern[part : part + 1], pattern[part + 1 :]
        alike = found.setdefault((before, after) if here else (pattern,), [])
        together = (*before, (*alike[-1][part], *here[0]), *after) if alike else pattern
        if alike and len(text_of(together)) <= widest:
            alike[-1] = together
        else:
            alike.append(pattern)
    return [pattern for alike in found.values() for pattern in alike]


def text_of(pattern: Pattern) -> str:
    return ".".join(text_of_words(words) for words in pattern)


def text_of_words(words: Sequence[str]) -> str:
    """fc1;  {0-2};  {q,k,v,out}_proj"""
    if len(words) == 1:
        return words[0]
    if all(word.isdecimal() for word in words):
        return f"{{{','.join(runs(sorted(map(int, words))))}}}"
    ends = {"".join(word.rpartition("_")[1:]) for word in words}
    end = ends.pop() if len(ends) == 1 else ""
    return f"{{{','.join(word.removesuffix(end) for word in words)}}}{end}"


def runs(numbers: Sequence[int]) -> Iterator[str]:
    """0 1 2 5 → "0-2", "5"."""
    start = end = numbers[0]
    for number in numbers[1:]:
        if number > end + 1:
            yield f"{start}-{end}" if end > start else f"{start}"
            start = number
        end = number
    yield f"{start}-{end}" if end > start else f"{start}"
