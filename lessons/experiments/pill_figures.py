"""Lesson 23's drawing, with the by-hand example's numbers in it, and its figures."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, INDIGO, ORANGE
from lessons.experiments.pill import DOWN, GATE, UP, VALUES, X, example, gate_strength
from lessons.experiments.prefix_tuning_figures import write_numbers
from lessons.teaching import Sketch, Values, new_figure


def draw_types() -> Figure:
    """Above: a token's type chooses its expert, with the numbers of one. Below: the gate in front of a new token's values."""
    x = X[0, 0]
    gated, down = F.silu(GATE @ x).item(), (DOWN @ x).item()
    added = example()(X)[0, 0].tolist()
    strength = gate_strength()
    sketch = Sketch(18.8, 12.0)
    token = sketch.box(0.2, 8.9, 2.4, 1.0, "a (vowel)")
    known = sketch.box(4.6, 10.1, 3.4, 1.0, "expert 0: known", learnt=True)
    new = sketch.box(4.6, 8.1, 3.4, 1.0, "expert 1: new", learnt=True)
    sketch.arrow(token.right, new.left, "type 1")
    ffn = sketch.box(12.6, 8.9, 4.6, 1.0, "feed forward, frozen")
    sketch.text(10.3, 10.0, "x + GLU(x)", 10)
    sketch.arrow(new.right, ffn.left)
    sketch.text(known.x + 1.7, 11.5, "for t, n, s, ...", 9)
    sketch.text(0.1, 7.1, "inside expert 1", 11, ha="left", fontweight="bold")
    cells = [[value] for value in x.tolist()]
    sketch.matrix(0.6, 4.0, cells, "x", largest=6)
    sketch.matrix(3.4, 5.0, [[gated]], "silu(G x)", form=".4f", cell=(1.9, 1.0), largest=6)
    sketch.matrix(3.4, 3.2, [[down]], "D x", cell=(1.9, 1.0), largest=6)
    sketch.text(2.5, 4.9, "→", 14)
    sketch.text(6.0, 4.7, "⊙ =", 13)
    sketch.matrix(6.8, 4.2, [[gated * down]], form=".4f", cell=(1.9, 1.0), largest=6)
    sketch.text(9.2, 4.7, "·", 14)
    sketch.matrix(9.8, 4.0, UP.tolist(), "U", learnt=True, largest=6)
    sketch.text(11.6, 4.9, "=", 14)
    sketch.matrix(12.4, 4.0, [[value] for value in added], "GLU(x)", form=".4f", cell=(2.1, 1.0), largest=6)
    sketch.text(0.1, 2.5, "the gate on a new token's values", 11, ha="left", fontweight="bold")
    sketch.matrix(0.6, 0.4, [list(VALUES)], "V", largest=6)
    sketch.text(3.3, 0.9, "·", 14)
    sketch.matrix(4.0, 0.4, [[strength]], "tanh(W_g x)", form=".4f", cell=(1.9, 1.0), learnt=True, largest=6)
    sketch.text(6.7, 0.9, "=", 14)
    sketch.matrix(7.4, 0.4, [[strength * value for value in VALUES]], form=".4f", cell=(1.9, 1.0), largest=6)
    sketch.text(14.6, 0.9, "a known token's stay as they are", 10)
    return sketch.figure


def draw_stages(run: Values, half: int) -> Figure:
    """The loss of both ways; the dashed line is where the gates shut."""
    figure, axis = new_figure(height=3.0)
    steps = range(1, 2 * half + 1)
    axis.plot(steps, run["one"], color=INDIGO, label="stage 2 alone")
    axis.plot(steps, run["two"], color=ORANGE, label="stage 1, then stage 2")
    axis.axvline(half + 0.5, color=BEFORE, linestyle="--", linewidth=1)
    axis.text(half + 0.8, max(run["one"]), "stage 2: gates shut", fontsize=9, va="top")
    axis.set(yscale="log", xlabel="step", ylabel="loss on British words")
    legend_below(figure, axis)
    return figure


def draw_gates(gates: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Figure:
    """tanh(W_g x) on vowels, a row for each attention with a gate; mean ± standard deviation."""
    figure, axis = new_figure(height=3.6)
    means = torch.tensor([mean for mean, _ in gates.values()])
    spreads = torch.tensor([spread for _, spread in gates.values()])
    image = axis.imshow(means, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
    axis.set_yticks(range(len(gates)), list(gates))
    axis.set_xticks(range(means.shape[1]), [f"head {head}" for head in range(means.shape[1])])
    write_numbers(axis, means, dark=0.7, notes=spreads)
    figure.colorbar(image, label="tanh(W_g x), vowels")
    return figure
