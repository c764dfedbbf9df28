"""Regular expressions out of a config, which may be anyone's: whether a path is of that form, in bounded time.

Python tries every way in which a pattern can match before it says no. A repeat inside a repeat, `(a+)+`, has 2ⁿ ways for n
letters, and k repeats in a row have about nᵏ: so a pattern of a few letters holds a program for years. No path needs such a one.
"""

import re
from collections.abc import Iterator
from re import _parser as parser
from typing import Any

LONGEST = 1000  # letters of a pattern
LONG_REPEATS = 5  # `.*`, `[0-9]+`, `.{2,9}`, one of them ours: at the end of a path of 60 letters 20 ms
CHOICES = 12  # repeats of all kinds, `x?` among them, and alternatives `a|b`
REPEATS = (parser.MAX_REPEAT, parser.MIN_REPEAT, parser.POSSESSIVE_REPEAT)


def matches(pattern: str, path: str, what: str) -> bool:
    """Whether the whole path is of this form. Raises ValueError, with `what` it is, for what is no regular expression,
    and for one that could take forever."""
    try:
        if reason := too_slow(pattern):
            raise ValueError(f"{what} could take forever: {reason}; write it plainer, or list the modules' names")
        return re.fullmatch(pattern, path) is not None
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{what} is no regular expression: {error}") from error


def too_slow(pattern: str) -> str:
    """Why the pattern may take forever, or nothing. Raises re.error for what is no pattern."""
    if len(pattern) > LONGEST:
        return f"it has {len(pattern)} letters, {LONGEST} are the most"
    found = list(choices(parser.parse(pattern), repeated=False))
    if any(repeated for _, repeated in found):
        return "a repeat or alternatives inside a repeat"
    long = sum(name == "long" for name, _ in found)
    if long > LONG_REPEATS or len(found) > CHOICES:
        return f"{long} long repeats ({LONG_REPEATS} are the most), {len(found)} choices ({CHOICES} are the most)"
    return ""


def choices(parsed: Any, repeated: bool) -> Iterator[tuple[str, bool]]:
    """Where a pattern can match in more than one way: "long" for repeats that do not end soon, or "short"; and whether
    that place is itself inside a repeat."""
    for item in parsed:
        if isinstance(item, parser.SubPattern | list):
            yield from choices(item, repeated)
        elif isinstance(item, tuple) and item:
            inside = repeated
            if any(item[0] is kind for kind in REPEATS):  # by identity: they are numbers, and so is a group's
                least, most, _ = item[1]
                inside = repeated or most > 1
                if least != most:
                    yield "long" if most > 2 else "short", repeated
            elif item[0] is parser.BRANCH:
                yield "short", repeated
            yield from choices(item, inside)
