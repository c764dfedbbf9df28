"""Chinese letters in figures: a font of its own, since matplotlib brings none and a machine need not have any.

It stands behind the usual font: a text takes from it the characters that the other lacks.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path

from matplotlib import font_manager
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

from lessons.language.message import spoken
from lessons.language.outputs import PIECE, outputs_in_chinese, told
from peft import RECIPES

FONT = Path(str(resources.files("lessons") / "data" / "NotoSansSC-part.otf"))
"""What it holds: lessons/data/font.py."""

SCRATCH = "scratch"
"""The row that no recipe makes."""

FIRST_CHINESE = "\u2e80"
"""Characters before it are the usual font's."""


@cache
def family() -> str:
    """The font's name, known to matplotlib from here on."""
    font_manager.fontManager.addfont(FONT)
    return FT2Font(FONT).family_name


def label(text: str) -> str:
    """A text of a figure in Chinese: a line that a lesson's figure has too, or what a command says."""
    return "\n".join(label_line(line) for line in text.split("\n"))


def label_line(line: str) -> str:
    if line in (*RECIPES, SCRATCH):  # a row has the same name in the table, and on the command line
        return line
    said = told(line, outputs_in_chinese().get)
    return said if said != line else PIECE.sub(lambda piece: spoken(piece[0]), line)


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


def texts_of(figure: Figure) -> list[Text]:
    return [part for part in figure.findobj(Text) if isinstance(part, Text) and part.get_visible()]


def retell(figure: Figure, told: Callable[[str], str]) -> None:
    """Says every text of the figure, and its ticks, in the words that `told` makes of its own."""
    for text in texts_of(figure):
        if (words := told(text.get_text())) != text.get_text():
            write_chinese(text, words)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            retell_ticks(axis, told)


def retell_ticks(axis: Axis, told: Callable[[str], str]) -> None:
    """A tick's words come from the axis's formatter, at each drawing anew; so the formatter says the others."""
    formatter = axis.get_major_formatter()
    if any(told(tick.get_text()) != tick.get_text() for tick in axis.get_ticklabels()):
        axis.set_major_formatter(FuncFormatter(lambda value, place: told(formatter(value, place))))


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
