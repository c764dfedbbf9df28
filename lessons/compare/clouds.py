"""The comparison as clouds of points: what a trained parameter buys, and what learning one accent costs the other."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from lessons.compare.report import by_method, percent, spread
from lessons.compare.row import SCRATCH
from peft import RECIPES

# Okabe and Ito's colours: they differ for colour-blind eyes too. Families differ in their marker as well.
BRITISH, AMERICAN, BEFORE = "#0072B2", "#D55E00", "#8c8c8c"
FAMILIES = {
    "own parameters": ("#000000", "o"),
    "LoRA family": ("#0072B2", "s"),
    "scaled features": ("#E69F00", "^"),
    "adapters": ("#009E73", "D"),
    "prompts, prefixes": ("#CC79A7", "v"),
    "4-bit base": ("#56B4E9", "P"),
    "no base": ("#D55E00", "X"),
    "other": ("#8c8c8c", "*"),
}


def family(method: str) -> tuple[str, str, str]:
    """(name, colour, marker) of the family that a technique is shown with."""
    name = "no base" if method == SCRATCH else RECIPES[method].family if method in RECIPES else "other"
    return (name, *FAMILIES.get(name, FAMILIES["other"]))


def saved(figure: Any, path: Path) -> Path:
    figure.savefig(path)
    plt.close(figure)
    return path


def draw_price(report: Mapping[str, Any], path: Path) -> Path:
    """British word error against the number of trained parameters, on a logarithmic axis."""
    figure, axis = plt.subplots(figsize=(9, 5.5), layout="constrained")
    before = 100 * report["base"]["british"]["word_error"]
    axis.axhline(before, color=BEFORE, linestyle="--", linewidth=1.2)
    axis.annotate("base, not adapted", (0.01, before), (0, 4), xycoords=("axes fraction", "data"), color="#555555",
                  textcoords="offset points", fontsize=9)  # fmt: skip
    axis.set_xscale("log")
    scatter(axis, report, lambda row: row["trainable_parameters"], percent("british", "word_error"))
    axis.set_xlabel("trained parameters (logarithmic)")
    axis.set_ylabel("British word error, %")
    axis.set_title("What a trained parameter buys: down is better, left is cheaper")
    return saved(figure, path)


def draw_forgetting(report: Mapping[str, Any], path: Path) -> Path:
    """British against American word error while the adapter is on."""
    figure, axis = plt.subplots(figsize=(9, 5.5), layout="constrained")
    base = report["base"]
    x, y = 100 * base["british"]["word_error"], 100 * base["american"]["word_error"]
    axis.axhline(y, color=BEFORE, linestyle="--", linewidth=1.2)
    axis.scatter([x], [y], marker="*", s=180, color=BEFORE, zorder=4)
    axis.annotate("base; an adapter that is switched off gives it back", (x, y), (0, 8), textcoords="offset points", ha="right",
                  color="#555555", fontsize=9)  # fmt: skip
    scatter(axis, report, percent("british", "word_error"), percent("american", "word_error"))
    axis.set_xlabel("British word error, % (left: more was learnt)")
    axis.set_ylabel("American word error, % (up: more was forgotten)")
    axis.set_title("Learning one accent, forgetting the other, while the adapter is on")
    return saved(figure, path)


def scatter(axis: Axes, report: Mapping[str, Any], across: Any, up: Any) -> None:
    """A point for each technique with its name beside it, and a legend of the families."""
    named: set[str] = set()
    points = []
    for method, rows in by_method(report).items():
        name, colour, marker = family(method)
        (x, _), (y, deviation) = spread(rows, across) or (0.0, 0.0), spread(rows, up) or (0.0, 0.0)
        label = None if name in named else name
        axis.errorbar(x, y, yerr=deviation or None, fmt=marker, color=colour, markersize=7, capsize=2, label=label)
        named.add(name)
        points.append((x, y, method))
    axis.margins(x=0.12, y=0.1)
    axis.figure.legend(fontsize=8, loc="outside lower center", ncols=4)
    write_names(axis, points)


def write_names(axis: Axes, points: Sequence[tuple[float, float, str]], height: float = 9.0) -> None:
    """Each name at the free place nearest to its point, with a thin line to it where that is not beside it."""
    axis.figure.canvas.draw()  # places are known only once the figure is laid out
    scale = 72.0 / axis.figure.dpi
    places = [tuple(float(value) * scale for value in axis.transData.transform((x, y))) for x, y, _ in points]
    # Boxes (left, right, bottom, top) in points: the markers first, then every name that is written.
    taken = [(left - 4, left + 4, bottom - 4, bottom + 4) for left, bottom in places]
    shifts = [sign * level * height for level in range(40) for sign in (1, -1)]
    for (x, y, name), (left, bottom) in sorted(zip(points, places, strict=True), key=lambda pair: pair[0][1]):
        width = 5.0 * len(name)
        candidates = [(side, shift) for shift in shifts for side in (7.0, -7.0 - width)]
        boxes = {
            (side, shift): (left + side, left + side + width, bottom + shift - height / 2, bottom + shift + height / 2)
            for side, shift in candidates
        }
        side, shift = next(place for place in candidates if not any(overlap(boxes[place], box) for box in taken))
        taken.append(boxes[side, shift])
        line = {"arrowstyle": "-", "color": BEFORE, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3} if shift else None
        right = side < 0
        axis.annotate(
            name,
            (x, y),
            (-7.0 if right else 7.0, shift),
            textcoords="offset points",
            ha="right" if right else "left",
            va="center",
            fontsize=8,
            arrowprops=line,
        )


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]
