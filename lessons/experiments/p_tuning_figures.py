"""Lesson 19's drawings, the encoder and the by-hand LSTM, and its figures."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, GREEN, INDIGO, ORANGE, PINK, SKY
from lessons.experiments.p_tuning import GATE, ROWS, states_by_formula
from lessons.teaching import Sketch, new_figure
from peft.p_tuning import PromptEncoder

START_COLOURS = (INDIGO, ORANGE, PINK, GREEN)


def draw_encoder() -> Figure:
    """Three rows of E through an LSTM in both directions and two matrices; the prompt stands in front of the letters."""
    torch.manual_seed(0)
    encoder, wide, letters = PromptEncoder(3, 6, 4, "LSTM"), 2.1, torch.randn(3, 6)
    rows, prompt = encoder.embedding.tolist(), encoder.result()
    sketch = Sketch(17.6, 8.2)
    for place in range(3):
        x = 1.7 + 2.8 * place
        row = sketch.strip(x, 0.5, rows[place], learnt=True)
        right = sketch.box(x, 1.5, wide, 0.8, "LSTM →", learnt=True)
        left = sketch.box(x, 2.8, wide, 0.8, "← LSTM", learnt=True)
        sketch.arrow(row.top, right.bottom)
        sketch.arrow(right.top, left.bottom)
        sketch.arrow(left.top, (left.top[0], 4.1))
        out = sketch.strip(x, 5.7, (prompt[place] / prompt.abs().max()).tolist())
        sketch.arrow((x + wide / 2, 5.0), out.bottom)
        sketch.arrow(out.top, (out.top[0], 6.7))
        if place:
            sketch.arrow((x - 0.7, 1.9), right.left)
            sketch.arrow((x, 3.2), (x - 0.7, 3.2))
        else:
            sketch.text(1.4, row.left[1], "E", ha="right")
            sketch.text(1.4, out.left[1], "P", ha="right")
    sketch.box(1.7, 4.1, 7.7, 0.9, r"$W_2\,\mathrm{relu}(W_1\;\cdot)$", learnt=True)
    for place, letter in enumerate("cat"):
        x = 10.1 + 2.4 * place
        out = sketch.strip(x, 5.7, (letters[place] / 3).tolist())
        sketch.arrow((x + wide / 2, 4.9), out.bottom)
        sketch.arrow(out.top, (out.top[0], 6.7))
        sketch.text(x + wide / 2, 4.6, letter, 11)
    sketch.text(13.6, 3.2, "the letters do not\nenter the encoder", 9)
    sketch.box(1.7, 6.7, 15.3, 1.0, "encoder, decoder, all frozen")
    return sketch.figure


def draw_lstm() -> Figure:
    """Two cells of an LSTM, one for each of two equal rows, with every number of the example."""
    sketch = Sketch(18.8, 8.4)
    high, memory = 5.4, 0.0
    for step, (candidate, after, out) in enumerate(states_by_formula()):
        x = 1.8 + 8.4 * step
        sketch.axis.add_patch(Rectangle((x, 1.7), 6.6, 4.5, facecolor="#fafbfc", edgecolor=BEFORE, zorder=0))
        forget = sketch.box(x + 0.5, high - 0.4, 1.9, 0.8, f"× f = {GATE:g}")
        add = sketch.box(x + 3.3, high - 0.4, 0.8, 0.8, "+")
        inside = sketch.box(x + 1.6, 2.0, 4.2, 0.8, f"g = tanh {float(ROWS[step]):g} = {candidate:.3f}", learnt=True)
        gate = sketch.box(x + 2.75, 3.5, 1.9, 0.8, f"× i = {GATE:g}")
        row = sketch.matrix(x + 3.2, 0.3, [ROWS[step].tolist()], learnt=True, largest=3)
        sketch.text(row.left[0] - 0.2, row.left[1], f"row {step + 1}:", 9, ha="right")
        result = sketch.matrix(x + 4.55, 6.9, [[out]], form=".3f", cell=(1.7, 0.9), largest=1)
        sketch.text(result.left[0] - 0.15, result.left[1], f"h = {GATE:g} · tanh(c) =", 9, ha="right")
        sketch.arrow((x - 1.75, high), forget.left)
        sketch.text(x - 0.95, high + 0.35, f"c = {memory:.3f}", 9)
        sketch.arrow(forget.right, add.left)
        sketch.arrow(row.top, inside.bottom)
        sketch.arrow(inside.top, gate.bottom)
        sketch.arrow(gate.top, add.bottom)
        sketch.arrow(add.right, (x + 6.7, high))
        sketch.arrow((result.bottom[0], high), result.bottom)
        memory = after
    sketch.text(17.8, high + 0.35, f"c = {memory:.3f}", 9)
    sketch.arrow((8.5, 2.4), (10.1, 2.4))
    sketch.text(9.3, 2.75, "h", 9)
    return sketch.figure


def draw_lengths(errors: Mapping[str, Mapping[int, float]], before: float) -> Figure:
    """British word error over the number of vectors, three kinds of prompt, and the untouched base."""
    figure, axis = new_figure(height=3.2)
    for (kind, found), colour, marker in zip(errors.items(), (PINK, SKY, INDIGO), "vos", strict=True):
        axis.plot(list(found), list(found.values()), f"{marker}-", color=colour, label=kind)
    axis.axhline(before, color=BEFORE, linestyle="--", linewidth=1, label="base, no prompt")
    lengths = list(next(iter(errors.values())))
    axis.set_xticks(lengths)
    axis.set(xlabel="vectors in front of the letters", ylabel="British word error (%)")
    legend_below(figure, axis)
    return figure


def draw_second_task(losses: Mapping[str, Sequence[float]]) -> Figure:
    """The losses from four starts."""
    figure, axis = new_figure(height=3.2)
    for (start, found), colour in zip(losses.items(), START_COLOURS, strict=True):
        axis.plot(range(1, len(found) + 1), found, color=colour, label=start)
    axis.set(xlabel="step of the second task", ylabel="loss")
    legend_below(figure, axis)
    return figure
