"""Every technique as a point: what a trained parameter buys, and what learning one accent costs the other."""

from collections.abc import Callable

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lessons.compare.report import Comparison
from lessons.drawing.families import family
from lessons.drawing.labels import legend_below, write_names
from lessons.drawing.style import BEFORE, NOTE


def draw_price(found: Comparison) -> Figure:
    """British word error against the number of trained parameters, on a logarithmic axis."""
    figure, axis = plt.subplots(figsize=(9, 5.5), layout="constrained")
    before = found.before["british"]
    axis.axhline(before, color=BEFORE, linestyle="--", linewidth=1.2)
    axis.annotate("base, not adapted", (0.01, before), (0, 4), xycoords=("axes fraction", "data"), color=NOTE,
                  textcoords="offset points", fontsize=9)  # fmt: skip
    axis.set_xscale("log")
    scatter(axis, found, lambda method: found.methods[method][0]["trainable_parameters"], "british")
    axis.set_xlabel("trained parameters (logarithmic)")
    axis.set_ylabel("British word error, %")
    axis.set_title("What a trained parameter buys: down is better, left is cheaper")
    return figure


def draw_forgetting(found: Comparison) -> Figure:
    """British against American word error while the adapter is on."""
    figure, axis = plt.subplots(figsize=(9, 5.5), layout="constrained")
    x, y = found.before["british"], found.before["american"]
    axis.axhline(y, color=BEFORE, linestyle="--", linewidth=1.2)
    axis.scatter([x], [y], marker="*", s=180, color=BEFORE, zorder=4)
    axis.annotate("base; an adapter that is switched off gives it back", (x, y), (0, 8), textcoords="offset points", ha="right",
                  color=NOTE, fontsize=9)  # fmt: skip
    scatter(axis, found, lambda method: found.word_error[method, "british"][0], "american")
    axis.set_xlabel("British word error, % (left: more was learnt)")
    axis.set_ylabel("American word error, % (up: more was forgotten)")
    axis.set_title("Learning one accent, forgetting the other, while the adapter is on")
    return figure


def scatter(axis: Axes, found: Comparison, across: Callable[[str], float], accent: str) -> None:
    """A point for each technique, word error upwards, with its name beside it, and a legend of the families."""
    named: set[str] = set()
    points = []
    for method in found.methods:
        name, colour, marker = family(method)
        x, (y, deviation) = across(method), found.word_error[method, accent]
        label = None if name in named else name
        axis.errorbar(x, y, yerr=deviation or None, fmt=marker, color=colour, markersize=7, capsize=2, label=label)
        named.add(name)
        points.append((x, y, method))
    axis.margins(x=0.12, y=0.1)
    axis.grid(True)
    legend_below(axis.figure, axis)
    write_names(axis, points)
