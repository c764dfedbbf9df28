"""Lesson 6's drawing, the example by hand, and its figures."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BLACK, INDIGO, ORANGE
from lessons.experiments.feed_forward_and_encoder import B1, B2, W1, W2, LettersC, X, small_feed_forward
from lessons.teaching import Sketch, new_figure
from lessons.teaching.sketch import Place
from transformer.feed_forward import ACTIVATIONS

STEPS = ("embedding\nand position", "after layer 0", "after layer 1", "after layer 2")


def draw_two_layers() -> Figure:
    """Two features, three hidden numbers, two features; the third hidden number is cut off."""
    small, sketch = small_feed_forward(), Sketch(19, 5.6)
    with torch.no_grad():
        asked, result = small.fc1(X), small(X)

    def column(x: float, values: Tensor, title: str, width: float = 1.0, learnt: bool = False) -> Place:
        low = 2.7 - len(values) / 2
        return sketch.matrix(x, low, values[:, None].tolist(), title, cell=(width, 1.0), learnt=learnt, largest=3.5)

    def weights(x: float, values: Tensor, title: str) -> Place:
        return sketch.matrix(x, 2.7 - len(values) / 2, values.tolist(), title, learnt=True, largest=3.5)

    places = [
        column(0.1, X, "x"),
        weights(2.2, W1, "W₁"),
        column(4.7, B1, "b₁", learnt=True),
        column(6.8, asked, "questions"),
        column(9.4, asked.relu(), "answers"),
        weights(11.5, W2, "W₂"),
        column(15.0, B2, "b₂", learnt=True),
        column(17.3, result, "FFN(x)", width=1.2),
    ]
    for start, end, text in ((0, 1, ""), (2, 3, ""), (3, 4, "ReLU"), (4, 5, ""), (6, 7, "")):
        sketch.arrow(places[start].right, places[end].left, text)
    for place in (2, 6):
        sketch.text(places[place].x - 0.25, 2.7, "+")
    sketch.text(places[3].bottom[0], 0.7, "one row of W₁ each", 9)
    sketch.text(places[5].x + 2.5, 1.2, "not used", 9)
    return sketch.figure


def draw_activations() -> Figure:
    figure, axis = new_figure(height=2.7)
    at = torch.linspace(-3, 3, 200)
    for name in ("relu", "gelu", "silu"):
        axis.plot(at, ACTIVATIONS[name](at), label=name)
    axis.set(xlabel="W₁x + b₁", ylabel="after the non-linearity")
    legend_below(figure, axis)
    return figure


def draw_tracks(parts: Mapping[str, Tensor], names: Sequence[str]) -> Figure:
    """Word → (number, letter): one row for each hidden number, dark where it is far above 0."""
    figure, axes = new_figure(columns=len(parts), height=2.6, width_ratios=[len(word) for word in parts], sharey=True)
    for axis, (word, part) in zip(axes, parts.items(), strict=True):
        axis.imshow(part, cmap="Oranges", vmin=0, vmax=1, aspect="auto")
        axis.set_xticks(range(len(word)), list(word), fontsize=12)
    axes[0].set_yticks(range(len(names)), names)
    return figure


def draw_letters_c(seen: LettersC, new: LettersC, right: Sequence[float]) -> Figure:
    """The vector of each new c after each step, in the two directions in which the seen ones differ most."""
    figure, axes = new_figure(columns=len(STEPS), height=2.8)
    for axis, title, before, after, share in zip(axes, STEPS, seen.states, new.states, right, strict=True):
        _, _, directions = torch.pca_lowrank(before, q=2)
        flat = (after - before.mean(dim=0)) @ directions
        for wanted, colour, name in ((False, INDIGO, "hard c"), (True, ORANGE, "soft c")):
            chosen = flat[new.soft == wanted]
            axis.scatter(chosen[:, 0], chosen[:, 1], s=5, color=colour, label=name, alpha=0.7)
        axis.set(title=title, xticks=[], yticks=[], xlabel=f"nearest mean:\n{share:.0f} % right")
    legend_below(figure, axes[0])
    return figure


def draw_silenced(errors: Mapping[str, Sequence[float]], whole: float) -> Figure:
    figure, axis = new_figure(height=3.0)
    for shift, colour, (name, values) in zip((-0.2, 0.2), (INDIGO, ORANGE), errors.items(), strict=True):
        places = [index + shift for index in range(len(values))]
        bars = axis.bar(places, values, width=0.38, color=colour, label=f"without {name.replace('_', '-')}")
        axis.bar_label(bars, fmt="%.0f", padding=2)
    axis.axhline(whole, color=BLACK, linestyle="--", linewidth=1, label="nothing silenced")
    axis.set_xticks(range(len(values)), [f"layer {index}" for index in range(len(values))])
    axis.set_ylabel("phoneme error (%)")
    legend_below(figure, axis)
    return figure
