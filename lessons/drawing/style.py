"""The style of every figure: its colours, its resolution, its frame. A colour means one thing in the whole course.

British and American words, and the base before fine-tuning, have a colour each; the techniques' families have theirs in
families.py. They are Okabe and Ito's, with two of Tol's: they differ for colour-blind eyes too.
"""

from pathlib import Path
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lessons.drawing.chinese import family, label, retell, without_remarks
from lessons.language.choice import CHINESE, language

BRITISH, AMERICAN, BEFORE = "#0072B2", "#D55E00", "#8c8c8c"
BLACK, INDIGO, ORANGE, GREEN = "#000000", "#4b3fa0", "#E69F00", "#009E73"
PINK, SKY, WINE, YELLOW = "#CC79A7", "#56B4E9", "#882255", "#F0E442"
NOTE = "#555555"
"""What is written into a figure beside its curves."""

DOTS_PER_INCH = 160
STYLE: dict[Any, Any] = {
    "figure.dpi": DOTS_PER_INCH / 2,  # on a screen; a notebook keeps twice as many (`lit_diagram`)
    "savefig.dpi": DOTS_PER_INCH,
    "font.size": 10,
    "axes.titlesize": 11,
    "figure.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=[INDIGO, ORANGE, GREEN, PINK, SKY, WINE, BLACK, BEFORE]),
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
}


def use_style() -> None:
    """From here on every figure of this process has the style."""
    matplotlib.rcParams.update(STYLE)


def fonts() -> list[str]:
    """What the ticks are written in that are made while a figure is saved."""
    return [*matplotlib.rcParams["font.family"], *([family()] if language() == CHINESE else [])]


def saved(figure: Figure, path: Path) -> Path:
    """Writes the figure in the language that is spoken beside its name, moves it into place, and closes it."""
    beside = path.with_name(f".{path.name}")
    if language() == CHINESE:
        retell(figure, label)
    with matplotlib.rc_context({"font.family": fonts()}), without_remarks():
        figure.savefig(beside, format=path.suffix[1:] or "png", dpi=DOTS_PER_INCH)
    plt.close(figure)
    return beside.replace(path)
