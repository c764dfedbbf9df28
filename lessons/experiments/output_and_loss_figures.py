"""Lesson 8's drawing, from a vector to a loss with the by-hand example's numbers, and its figures."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import AMERICAN, BEFORE, BRITISH, GREEN, INDIGO, ORANGE
from lessons.experiments.output_and_loss import (
    HIDDEN,
    LOGITS,
    OUTPUT,
    RIGHT,
    SYMBOLS,
    Calibration,
    Choices,
    losses_over_lead,
    names_of_tokens,
)
from lessons.teaching import Sketch, new_figure
from lessons.teaching.sketch import Place

ACCENTS = {"american": AMERICAN, "british": BRITISH}


def draw_output() -> Figure:
    """W_out times h, e to the power of it, divided by the sum; -ln of the right symbol. The same matrix reads b in."""
    sketch, low = Sketch(18.8, 6.2), 1.9
    exponentials = LOGITS.exp()
    shares = exponentials / exponentials.sum()

    def column(
        values: torch.Tensor, x: float, y: float, title: str, width: float = 1.35, largest: float = 8.0
    ) -> Place:
        return sketch.matrix(x, y, values[:, None].tolist(), title, cell=(width, 1.0), largest=largest)

    matrix = sketch.matrix(0.9, low, OUTPUT.tolist(), r"$W_{out}$", rows=SYMBOLS, learnt=True, largest=2)
    hidden = column(HIDDEN, 3.7, low + 0.5, "h", largest=3)
    logits = column(LOGITS, 6.0, low, "z", largest=3)
    powers = column(exponentials, 8.9, low, r"$e^z$", 1.0)
    chances = column(shares, 12.1, low, "p", 1.5, 1.2)
    loss = sketch.box(15.7, low + 1.0, 2.7, 1.0, f"L = {-float(shares[RIGHT].log()):.3f}")
    sketch.text((matrix.right[0] + hidden.left[0]) / 2, hidden.left[1], "·", 13)
    sketch.text((hidden.right[0] + logits.left[0]) / 2, hidden.left[1], "=", 13)
    sketch.arrow(logits.right, powers.left, "exp")
    sketch.arrow(powers.right, chances.left, f"÷ {float(exponentials.sum()):.0f}")
    sketch.arrow(chances.right, loss.left, "−ln")
    sketch.text(loss.bottom[0], low + 0.6, "b is the right one", 9)
    row = sketch.matrix(6.0, 0.3, [OUTPUT[RIGHT].tolist()], rows=["row of b:"], learnt=True, largest=2)
    decoder = sketch.box(11.1, 0.2, 3.4, 1.2, "decoder,\nnext step")
    sketch.arrow((matrix.bottom[0], low), (matrix.bottom[0] + 1.4, 0.8), curve=0.35)
    sketch.arrow(row.right, decoder.left, r"× √d, position")
    return sketch.figure


def draw_softmax_and_smoothing(temperatures: Sequence[float], smoothings: Sequence[float]) -> Figure:
    """Left: the example's softmax at several temperatures. Right: the loss over the lead of the right logit."""
    figure, (left, right) = new_figure(columns=2, height=3.4)
    colours = (GREEN, INDIGO, ORANGE)
    for place, (temperature, colour) in enumerate(zip(temperatures, colours, strict=True)):
        heights = (LOGITS / temperature).softmax(-1).tolist()
        shifted = [index + 0.26 * (place - 1) for index in range(len(heights))]
        left.bar(shifted, heights, width=0.25, color=colour, label=f"T = {temperature:g}")
    left.set_xticks(range(len(SYMBOLS)), ["ln 1", "ln 2", "ln 5"])
    left.set(xlabel="logit", ylabel="probability", title="softmax(z / T)", ylim=(0, 1.15))
    left.legend(fontsize=8, ncols=3, loc="upper left", columnspacing=0.8, handlelength=1.0)
    leads = torch.linspace(-2, 9, 150).tolist()
    for smoothing, colour in zip(smoothings, colours, strict=True):
        losses = losses_over_lead(smoothing, leads)
        right.plot(leads, losses, color=colour, label=f"ε = {smoothing:g}")
        if smoothing:
            best = losses.index(min(losses))
            right.plot(leads[best], losses[best], "o", color=colour)
    right.set(xlabel="lead of the right logit", ylabel="loss", title="smoothing: a best lead (dots)", ylim=(0, 3.6))
    right.legend(fontsize=8, loc="upper right")
    return figure


def draw_choices(found: Choices, least: float = 0.02) -> Figure:
    """A column for each step, a row for each symbol that is likely somewhere."""
    figure, axis = new_figure(height=3.4)
    names = names_of_tokens()
    likely = [token for token in names if found.table[:, token].max() > least]
    image = axis.imshow(found.table[:, likely].T, cmap="Greens", vmin=0, vmax=1, aspect="auto")
    for row, token in enumerate(likely):
        for place, share in enumerate(found.table[:, token].tolist()):
            if share > least:
                axis.text(place, row, f"{share:.2f}", ha="center", va="center", fontsize=7,
                          color="white" if share > 0.6 else "black")  # fmt: skip
    axis.set_xticks(range(len(found.said)), found.said)
    axis.set_yticks(range(len(likely)), [names[token] for token in likely])
    axis.set(xlabel="what is said, symbol by symbol", ylabel="what may come next")
    figure.colorbar(image, label="probability")
    return figure


def draw_calibration(measured: Mapping[str, Calibration]) -> Figure:
    figure, axes = new_figure(columns=2, height=3.3, sharey=True)
    for axis, (accent, found) in zip(axes, measured.items(), strict=True):
        axis.plot([0, 1], [0, 1], color=BEFORE, linestyle="--", linewidth=1)
        axis.text(0.28, 0.36, "calibrated", rotation=45, fontsize=8, color=BEFORE, ha="center", va="center")
        axis.plot(found.sure, found.right, "o-", color=ACCENTS[accent])
        axis.set(title=accent.capitalize(), xlabel="how sure it says it is", xlim=(0, 1.03), ylim=(0, 1.03))
    axes[0].set_ylabel("how often it is right")
    return figure


def draw_unseen(seen: Mapping[str, Mapping[int, float]], symbol: str) -> Figure:
    figure, axis = new_figure(height=2.9)
    for (name, found), colour in zip(seen.items(), (GREEN, ORANGE), strict=True):
        axis.semilogy(list(found), list(found.values()), "o-", markersize=3, color=colour, label=name)
    axis.set(xlabel="training step", ylabel=f"probability of {symbol}")
    legend_below(figure, axis)
    return figure
