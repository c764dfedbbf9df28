"""The comparison's figures: what was learnt, at what price, what was forgotten, how the loss fell, where attention lies."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from lessons.compare.attention import attention_maps
from lessons.compare.report import Comparison, Row
from lessons.compare.trade_offs import draw_forgetting, draw_price
from lessons.drawing.families import family
from lessons.drawing.style import AMERICAN, BEFORE, BRITISH, STYLE, saved
from lessons.task.attention_map import draw_attention

LINES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
"""What tells the members of a family apart."""


def draw_all(found: Comparison, rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draws every figure into `folder`. Without a single finished row there is only the attention of the base."""
    maps = attention_maps(found, rows, folder)
    figures = {
        "errors": draw_errors,
        "parameters": draw_price,
        "forgetting": draw_forgetting,
        "learning": draw_learning,
    }
    with matplotlib.rc_context(STYLE):
        drawn = {name: draw(found) for name, draw in figures.items() if found.methods}
        drawn["attention"] = draw_attention([maps])
        return [saved(figure, folder / f"{name}.png") for name, figure in drawn.items()]


def draw_errors(found: Comparison) -> Figure:
    """Word error before and after, an accent a panel: a bar starts at the base and ends at the technique."""
    methods = list(found.methods)
    figure, panels = plt.subplots(1, 2, figsize=(9, 1.6 + 0.27 * len(methods)), sharey=True, layout="constrained")
    for axis, accent, colour, meaning in zip(
        panels, ("british", "american"), (BRITISH, AMERICAN), ("learnt", "forgotten"), strict=True
    ):
        before = found.before[accent]
        for height, method in enumerate(methods):
            after, deviation = found.word_error[method, accent]
            axis.plot([before, after], [height, height], color=colour, alpha=0.35, linewidth=4, solid_capstyle="butt")
            axis.errorbar(after, height, xerr=deviation or None, fmt="o", color=colour, markersize=6, capsize=2)
            side, align = (7, "left") if after > before else (-7, "right")
            axis.annotate(f"{after:.0f}", (after, height), (side, 0), textcoords="offset points", va="center", ha=align,
                          fontsize=8)  # fmt: skip
        axis.axvline(before, color=BEFORE, linestyle="--", linewidth=1.2)
        axis.set_title(f"{accent.capitalize()}: {meaning}\ndashed: the base before, {before:.0f} %")
        axis.set_xlabel("word error, %")
        axis.set_xlim(0, 106)
        axis.grid(True)
    panels[0].set_yticks(range(len(methods)), methods)
    panels[0].set_ylim(len(methods) - 0.4, -0.6)
    return figure


def draw_learning(found: Comparison) -> Figure:
    """The training loss of every technique, a family a panel, the others in grey behind it."""
    families = list(dict.fromkeys(family(method).name for method in found.methods))
    columns = min(3, len(families))
    lines = -(-len(families) // columns)
    figure, panels = plt.subplots(
        lines, columns, figsize=(9, 0.6 + 2.9 * lines), squeeze=False, sharex=True, sharey=True, layout="constrained"
    )
    for axis in panels.flat[len(families) :]:
        axis.set_axis_off()
    for axis, name in zip(panels.flat, families, strict=False):
        draw_family(axis, name, found)
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axis.tick_params(labelbottom=True)
        axis.grid(True)
    figure.supxlabel("step")
    figure.supylabel("training loss (logarithmic)")
    return figure


def draw_family(axis: Axes, name: str, found: Comparison) -> None:
    members = [method for method in found.methods if family(method).name == name]
    for method, rows in found.methods.items():
        steps, losses = zip(*rows[0]["loss_curve"], strict=True)
        if method in members:
            line = LINES[members.index(method) % len(LINES)]
            axis.plot(steps, losses, color=family(method).colour, linestyle=line, linewidth=1.6, label=method, zorder=3)
        else:
            axis.plot(steps, losses, color="#d9d9d9", linewidth=0.8)
    axis.set_title(name, fontsize=10)
    axis.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
