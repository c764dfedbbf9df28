"""Which language is spoken: "en" or "zh"."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ENGLISH, CHINESE = LANGUAGES = ("en", "zh")
OPTION = "--lang"
OWN = "FT_LANG"
"""The variable that `--lang` sets while a command runs, and that anybody may set."""

LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")
"""The first of these that is set says what a user reads, as in every program."""

CHINESE_NOTEBOOKS = ("notebooks", "zh")


def language() -> str:
    """What was asked for; else that of the notebook's folder; else the environment's."""
    if os.environ.get(OWN) in LANGUAGES:
        return os.environ[OWN]
    if Path.cwd().parts[-2:] == CHINESE_NOTEBOOKS:
        return CHINESE
    locale = next((value for name in LOCALE if (value := os.environ.get(name))), "")
    return CHINESE if locale.lower().startswith(CHINESE) else ENGLISH


def asked_for(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The language that a command line asks for, "" for none, and the rest of it. Raises ValueError for an unknown one."""
    rest: list[str] = []
    wanted, given = "", iter(arguments)
    for argument in given:
        name, equals, value = argument.partition("=")
        if name != OPTION:
            rest.append(argument)
            continue
        wanted = value if equals else next(given, "")
        if wanted not in LANGUAGES:
            raise ValueError(f"{OPTION} is {' or '.join(LANGUAGES)}, not {wanted!r}")
    return wanted, rest


@contextmanager
def speaking(wanted: str) -> Iterator[None]:
    """While the block runs, this language is spoken; "" changes nothing."""
    before = os.environ.get(OWN)
    if wanted:
        os.environ[OWN] = wanted
    try:
        yield
    finally:
        if before is not None:
            os.environ[OWN] = before
        elif wanted:
            del os.environ[OWN]
