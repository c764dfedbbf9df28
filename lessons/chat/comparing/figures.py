"""The comparison's figures: accuracy before and after, what was forgotten for it, and what a parameter buys."""

from collections.abc import Callable
from pathlib import Path

import matplotlib
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lessons.chat.comparing.report import GROUPS, Report, Row, accuracy, by_method, lost, shares, tasks_of
from lessons.drawing.families import family
from lessons.drawing.labels import legend_below, write_names
from lessons.drawing.means import mean_sd
from lessons.drawing.style import AMERICAN, BEFORE, BRITISH, STYLE, saved

MEANINGS = {
    "seen": "words trained on",
    "never": "words never trained on",
    "unchanged": "nothing to change",
    "movies": "movies, trained on",
}


def draw_all(report: Report, folder: Path) -> list[Path]:
    """Draws every figure into `folder`; none without a finished row."""
    with matplotlib.rc_context(STYLE):
        drawn = {f"chat_{task}": draw_before_after(report, task) for task in tasks_of(report)}
        if drawn:
            drawn |= {"chat_forgetting": draw_forgetting(report), "chat_parameters": draw_parameters(report)}
        return [saved(figure, folder / f"{name}.png") for name, figure in drawn.items()]


def draw_before_after(report: Report, task: str) -> Figure:
    """A panel for each kind or domain: a bar starts at the untouched model and ends at the technique."""
    found, base, groups = by_method(report, task), report["base"][task], GROUPS[task]
    figure, panels = plt.subplots(
        1, len(groups), figsize=(10, 1.7 + 0.27 * len(found)), sharey=True, layout="constrained"
    )
    for axis, group in zip(panels, groups, strict=True):
        before = percent([base], group, "exact")[0]
        for height, rows in enumerate(found.values()):
            after, deviation = percent(rows, group, "exact")
            axis.plot([before, after], [height, height], color=BRITISH, alpha=0.35, linewidth=4, solid_capstyle="butt")
            axis.errorbar(after, height, xerr=deviation or None, fmt="o", color=BRITISH, markersize=6, capsize=2)
            if task == "sentiment":
                axis.plot(percent(rows, group, "calibrated")[0], height, "D", color=AMERICAN, fillstyle="none")
        axis.axvline(before, color=BEFORE, linestyle="--", linewidth=1.2)
        if task == "sentiment":
            axis.axvline(percent([base], group, "calibrated")[0], color=AMERICAN, linestyle=":", linewidth=1.2)
        axis.set_title(MEANINGS.get(group, group))
        axis.set_xlim(-4, 104)
        axis.grid(True)
    panels[0].set_yticks(range(len(found)), list(found))
    panels[0].set_ylim(len(found) - 0.4, -0.6)
    said = "● answers exactly right, dashed: before" + (
        "     ◇ calibrated, dotted: before" if task == "sentiment" else ""
    )
    figure.supxlabel(f"{'% of sentences' if task == 'sentiment' else '% of held-out sentences'}     {said}")
    return figure


def percent(rows: list[Row], group: str, side: str) -> tuple[float, float]:
    """Mean and deviation over the seeds, in per cent."""
    return mean_sd(100 * share for row in rows for share in shares(row, [group], side)) or (float("nan"), 0.0)


def draw_forgetting(report: Report) -> Figure:
    """What was learnt, and what a token of the model's own answers costs more for it."""

    def height(rows: list[Row], base: Row) -> float:
        return mean_of(lost(rows, base, "chat_nats"))

    figure = scatter(report, lambda rows: 100 * mean_of([accuracy(row) for row in rows]), height)
    for axis in figure.axes:
        axis.set_xlabel("accuracy, % (right: more was learnt)")
    figure.supylabel("chat, nats a token more (up: more was forgotten)")
    return figure


def draw_parameters(report: Report) -> Figure:
    """Accuracy against the number of trained parameters, on a logarithmic axis."""

    def height(rows: list[Row], base: Row) -> float:
        return 100 * mean_of([accuracy(row) for row in rows])

    figure = scatter(report, lambda rows: rows[0]["trainable_parameters"], height, logarithmic=True)
    for axis in figure.axes:
        axis.set_xlabel("trained parameters (logarithmic)")
    figure.supylabel("accuracy, %")
    return figure


def scatter(
    report: Report,
    across: Callable[[list[Row]], float],
    height: Callable[[list[Row], Row], float],
    logarithmic: bool = False,
) -> Figure:
    """A panel for each task, a point with its name for each technique, a legend of the families."""
    tasks = tasks_of(report)
    figure, panels = plt.subplots(1, len(tasks), figsize=(5.5 * len(tasks), 5), squeeze=False, layout="constrained")
    named = []
    for axis, task in zip(panels.flat, tasks, strict=True):
        base = report["base"][task]
        points = [(across(rows), height(rows, base), method) for method, rows in by_method(report, task).items()]
        named.append((axis, points))
        if logarithmic:
            axis.set_xscale("log")
        draw_points(axis, points)
        axis.set_title({"spelling": "British spelling", "sentiment": "Sentiment in three labels"}[task])
        axis.axhline(100 * accuracy(base) if logarithmic else 0.0, color=BEFORE, linestyle="--", linewidth=1.2)
    legend_below(figure, panels.flat[0])
    for axis, points in named:
        write_names(axis, points)
    return figure


def draw_points(axis: Axes, points: list[tuple[float, float, str]]) -> None:
    families: set[str] = set()
    for x, y, method in points:
        name, colour, marker = family(method)
        axis.plot(x, y, marker, color=colour, markersize=7, label=None if name in families else name)
        families.add(name)
    axis.margins(x=0.3, y=0.12)
    axis.grid(True)


def mean_of(values: list[float]) -> float:
    return sum(values) / len(values)
