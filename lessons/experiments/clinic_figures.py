"""Lesson 31's drawing, the way of a batch with what goes wrong at each station, and its figures."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, BRITISH, GREEN, NOTE, ORANGE
from lessons.experiments.clinic import FACTORS, LONG, NATS, SHARES, SHORT, UPDATE, W, kept_numbers
from lessons.teaching import Sketch, new_figure

Numbers = Sequence[Sequence[float]]


def stations() -> list[tuple[str, Numbers, Numbers, str, str]]:
    """Station, the right numbers, the sick ones, what happened, the case's name."""
    right, whole = [[torch.cat([LONG, SHORT]).mean().item()]], (W + UPDATE).tolist()
    sick = [[(LONG.mean() + SHORT.mean()).item() / 2]]
    return [
        ("tokens", [[1, 3, 4, 2]], [[1, 4, 3, 2]], "the same word under\nother numbers", "another-tokenizer"),
        ("template", [[1, 3, 4, 2]], [[1, 3, 4]], "the end, 2,\nis not asked for", "eos-masked"),
        ("mask, labels", [[3, 4, 2]], [[1, 3, 4]], "asked for what\nwas just read", "labels-not-shifted"),
        ("loss", right, sick, "(1 + 3) / 2, a mean\nof means", "accumulation-by-batches"),
        ("adapter, ΔW", UPDATE.tolist(), [[0, 0], [0, 0]], "names do not match:\nB is still 0", "adapter-not-loaded"),
        ("merge, W + ΔW", whole, (W + 2 * UPDATE).tolist(), "W + 2 ΔW", "merged-twice"),
        ("file", whole, whole[::-1], "the rows stand\nin another order", "rows-permuted"),
    ]


def draw_stations() -> Figure:
    """From top to bottom: what a batch passes, with right numbers and with sick ones."""
    sketch = Sketch(18.6, 16.6)
    for x, title in ((2.0, "station"), (6.5, "right"), (11.2, "silently wrong"), (16.0, "what happened")):
        sketch.text(x, 16.2, title, size=11)
    top, above = 15.75, None
    for name, right, sick, what, case in stations():
        height = 1.75 + 0.85 * (len(right) - 1)
        middle = top - height / 2
        box = sketch.box(0.2, middle - 0.5, 3.7, 1.0, name)
        if above is not None:
            sketch.arrow(above.bottom, box.top)
        for x, values in ((6.5, right), (11.2, sick)):
            wide, tall = len(values[0]), 0.85 * len(values)
            sketch.matrix(x - wide / 2, middle - tall / 2, values, largest=7, cell=(1.0, 0.85))
        sketch.text(13.7, middle + 0.25, what, 9, ha="left")
        sketch.text(13.7, middle - 0.6, case, 8, ha="left", color=NOTE, family="monospace")
        top, above = top - height - 0.12, box
    return sketch.figure


def draw_times(errors: Mapping[float, float], tuned: float) -> Figure:
    """British error over how often the update stands in the weights."""
    figure, axis = new_figure(height=3.0)
    axis.plot(list(errors), list(errors.values()), "o-", color=BRITISH)
    axis.axhline(tuned, color=BEFORE, linestyle="--", linewidth=1)
    axis.text(max(errors), tuned, "base + adapter, not merged", ha="right", va="bottom", fontsize=9, color=NOTE)
    axis.set(xlabel="k: the weights are W + k ΔW", ylabel="British phoneme error (%)", ylim=(0, None))
    return figure


def draw_losses(losses: Mapping[str, Sequence[float]]) -> Figure:
    """What the training loop sees."""
    figure, axis = new_figure(height=2.8)
    for (name, values), colour in zip(losses.items(), (ORANGE, GREEN), strict=True):
        axis.plot(range(1, len(values) + 1), values, color=colour, label=name)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set(xlabel="step", ylabel="loss, nats per token", yscale="log")
    axis.yaxis.set_major_formatter("{x:g}")
    legend_below(figure, axis)
    return figure


def draw_cases() -> Figure:
    """Each case's number when sick and when repaired, with the limit between them; one panel for each unit."""
    panels = (FACTORS, "times the right number", 1), (SHARES, "%", 100), (NATS, "nats per token", 1)
    figure, axes = new_figure(
        rows=3, height=7.4, gridspec_kw={"height_ratios": [len(limits) + 1.5 for limits, _, _ in panels]}
    )
    for axis, (limits, unit, scale) in zip(axes, panels, strict=True):
        draw_panel(axis, kept_numbers(limits), scale)
        axis.set_xlabel(unit)
    legend_below(figure, axes[-1])
    return figure


def draw_panel(axis: Axes, numbers: Mapping[str, tuple[float, float | None, float]], scale: float) -> None:
    """A line for each case; its first one names the marks for the legend."""
    for row, (sick, repaired, limit) in enumerate(numbers.values()):
        names = ("sick", "limit of the check", "repaired") if row == 0 else (None, None, None)
        axis.plot(scale * sick, row, "X", color=ORANGE, markersize=8, label=names[0])
        axis.plot(scale * limit, row, "|", color=BEFORE, markersize=14, mew=2, label=names[1])
        if repaired is not None:
            axis.plot(scale * repaired, row, "o", color=GREEN, markersize=6, label=names[2])
            axis.plot([scale * sick, scale * repaired], [row, row], color=BEFORE, linewidth=0.8, zorder=0)
    axis.set_yticks(range(len(numbers)), list(numbers), fontsize=9)
    axis.set_ylim(len(numbers) - 0.4, -0.6)
