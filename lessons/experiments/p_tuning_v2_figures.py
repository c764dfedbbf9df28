"""Lesson 21's drawing, with the by-hand example's numbers in it, and its figures."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, BLACK, GREEN, INDIGO, ORANGE, PINK, SKY
from lessons.experiments.p_tuning_v2 import KEYS, QUERIES, VALUES, by_hand
from lessons.teaching import Sketch, Values, new_figure

COLOURS = (INDIGO, ORANGE, GREEN, PINK, SKY, BLACK)


def draw_every_layer() -> Figure:
    """Left: a prompt below layer 0, and a pair in every layer. Right: one layer of it, with its numbers."""
    sketch = Sketch(18.8, 9.2)
    for x, title, everywhere in ((0.2, "P-Tuning", False), (5.1, "P-Tuning v2", True)):
        sketch.text(x + 2.7, 8.8, title, 11, fontweight="bold")
        for layer in range(3):
            height = 1.9 + 2.1 * layer
            box = sketch.box(x + 1.5, height, 2.4, 1.2, f"layer {layer}")
            sketch.arrow((x + 2.7, height - 0.9), box.bottom)
            if everywhere:
                sketch.box(x, height + 0.2, 1.2, 0.8, "P", learnt=True)
        sketch.text(x + 2.7, 0.5, "words")
        if not everywhere:
            sketch.box(x + 0.2, 0.1, 1.2, 0.8, "P", learnt=True)
    shares, outputs = by_hand()
    sketch.text(14.9, 8.8, "one layer, three queries", 11, fontweight="bold")
    for x, title, rows in ((12.8, "keys", KEYS), (15.0, "values", VALUES)):
        sketch.matrix(x, 6.7, rows[:1].tolist(), title, rows=["P"] if x < 14 else (), learnt=True, largest=14)
        sketch.matrix(x, 5.5, rows[1:].tolist(), rows=["word"] if x < 14 else (), largest=14)
    shown = zip(QUERIES, shares, outputs, strict=True)
    for row, (query, share, output) in enumerate(shown):
        height = 3.2 - 1.4 * row
        sketch.text(12.0, height + 0.5, f"q = {query}")
        cells = sketch.matrix(13.2, height, [[share]], "λ" if row == 0 else "", form=".2f", cell=(1.2, 1.0), largest=1)
        out = sketch.matrix(
            16.4, height, [[output]], "output" if row == 0 else "", form=".3g", cell=(1.2, 1.0), largest=14
        )
        sketch.arrow(cells.right, out.left)
    return sketch.figure


def draw_room(in_input: Mapping[int, int], in_layers: Mapping[int, int], most: int) -> Figure:
    """How long a word may be, over the number of virtual tokens."""
    figure, axis = new_figure(height=2.9)
    places = range(len(in_input))
    axis.plot(places, list(in_layers.values()), "v-", color=PINK, label="in every layer: P-Tuning v2")
    axis.plot(places, list(in_input.values()), "o--", color=INDIGO, label="in the input: a prompt")
    axis.set(xlabel="virtual tokens", ylabel="letters that still fit", ylim=(-4, most + 8))
    axis.set_xticks(places, [str(number) for number in in_input])
    legend_below(figure, axis, columns=2)
    return figure


def draw_carried(moves: Mapping[str, Sequence[float]], errors: Mapping[str, float]) -> Figure:
    """Left: how far the encoder's vectors move, layer by layer. Right: what each part does for British."""
    figure, (left, right) = new_figure(columns=2, height=3.5)
    for (name, values), colour in zip(moves.items(), COLOURS, strict=False):
        left.plot(range(len(values)), values, "o-", color=colour, label=name)
        right.barh(name, errors[name], color=colour)
    left.set_xticks(range(3), [f"{layer}" for layer in range(3)])
    left.set(xlabel="after layer", ylabel="encoder's vectors moved (%)", ylim=(-1, None))
    right.axvline(errors["none"], color=BEFORE, linestyle="--", linewidth=1, label="base")
    for bars in right.containers:
        right.bar_label(bars, fmt="%.1f", fontsize=8, padding=1)
    right.invert_yaxis()
    right.margins(x=0.18)
    right.set(xlabel="British phoneme error (%); dashed: the base", yticks=[])
    legend_below(figure, left, columns=4)
    return figure


def draw_trained(runs: Mapping[str, Values]) -> Figure:
    """The losses of every run; its name says where its virtual tokens are."""
    figure, axis = new_figure(height=3.2)
    for (name, run), colour in zip(runs.items(), COLOURS, strict=False):
        axis.plot(range(1, len(run["losses"]) + 1), run["losses"], color=colour, label=f"{name}: {run['error']:.1f} %")
    axis.set(xlabel="step", ylabel="loss on British words", yscale="log")
    legend_below(figure, axis, columns=2)
    return figure


def draw_pushed(arrived: Sequence[Sequence[float]], pushed: float) -> Figure:
    """Dots: where pushes of one size in many directions arrive, layer by layer."""
    figure, axis = new_figure(height=2.7)
    for layer, values in enumerate(arrived):
        axis.plot([layer] * len(values), values, "o", color=PINK, alpha=0.5, markersize=5)
    axis.plot(range(len(arrived)), [sum(values) / len(values) for values in arrived], color=INDIGO, label="mean")
    axis.set_xticks(range(len(arrived)), [f"after layer {layer}" for layer in range(len(arrived))])
    axis.set(ylabel=f"letters moved (%)\nfor a push of {pushed:g} %", ylim=(0, None))
    return figure


def draw_understanding(scores: Mapping[str, Sequence[float]]) -> Figure:
    """F1 on held-out sentences: a dot for each seed of each technique."""
    figure, axis = new_figure(height=0.9 + 0.32 * len(scores))
    for place, (name, values) in enumerate(scores.items()):
        colour = PINK if name.startswith(("p", "prompt")) else BLACK
        axis.plot(values, [place] * len(values), "o", color=colour)
        axis.annotate(
            f"{sum(values) / len(values):.3f}", (max(values), place), (8, -3), textcoords="offset points", fontsize=9
        )
    axis.set_yticks(range(len(scores)), list(scores))
    axis.invert_yaxis()
    axis.margins(x=0.12, y=0.12)
    axis.set_xlabel("F1 on held-out sentences about movies")
    return figure
