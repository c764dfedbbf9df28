"""Chinese letters in figures: a font of its own, since matplotlib brings none and a machine need not have any.

It stands behind the usual font: a text takes from it the characters that the other lacks.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

FONT = Path(str(resources.files("lessons") / "data" / "NotoSansSC-part.otf"))
"""What it holds: lessons/data/font.py."""

FIRST_CHINESE = "\u2e80"
"""Characters before it are the usual font's."""


@cache
def family() -> str:
    """The font's name, known to matplotlib from here on."""
    font_manager.fontManager.addfont(FONT)
    return FT2Font(FONT).family_name


@cache
def characters() -> frozenset[str]:
    return frozenset(map(chr, FT2Font(FONT).get_charmap()))


def lacking(text: str) -> str:
    """The Chinese characters of a text that the font cannot draw."""
    return "".join(sorted({each for each in text if each >= FIRST_CHINESE} - characters()))


def write_chinese(text: Text, words: str) -> None:
    """Puts other words into a text of a figure."""
    text.set_text(words)
    text.set_fontfamily([*text.get_fontfamily(), family()])


@contextmanager
def without_remarks() -> Iterator[None]:
    """matplotlib remarks that the font is not bold where a text is, and which it takes for a formula: nobody can act on it."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
