"""Lesson 20's drawing, with the by-hand example's numbers in it, and its figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, INDIGO, ORANGE, PINK
from lessons.experiments.prefix_tuning import KEYS, PREFIX, QUERY, VALUES
from lessons.teaching import Sketch, new_figure
from transformer.attention import Attend, scaled_dot_product_attention


def draw_prefix() -> Figure:
    """A learnt key and a learnt value in front of those of two words; scores, weights and the output."""
    key, value = PREFIX[0].tolist()
    keys, values = [key, *KEYS.flatten().tolist()], [value, *VALUES.flatten().tolist()]
    all_keys, all_values = (torch.tensor(rows).reshape(1, 1, -1, 1) for rows in (keys, values))
    output, weights = scaled_dot_product_attention(QUERY, all_keys, all_values)
    alone = Attend()(QUERY, KEYS, VALUES).item()
    share = weights[0, 0, 0, 0].item()
    sketch = Sketch(18.6, 6.6)
    query = sketch.matrix(0.3, 3.3, QUERY[0, 0].tolist(), "q")
    sketch.matrix(5.0, 4.4, [[key]], "keys", rows=["[Prefix]"], learnt=True, largest=7)
    words = sketch.matrix(5.0, 2.2, KEYS[0, 0].tolist(), rows=["word 1", "word 2"], largest=7)
    sketch.arrow(query.right, (2.6, 3.8), "q · k")
    scores = sketch.matrix(8.2, 2.8, [[0.0]] * 3, "scores")
    sketch.arrow((words.right[0], 3.8), (scores.left[0], 3.8))
    shown = sketch.matrix(
        11.2, 2.8, weights[0, 0, 0][:, None].tolist(), "weights", form=".2f", cell=(1.3, 1.0), largest=1
    )
    sketch.arrow((scores.right[0], 4.3), (shown.left[0], 4.3), "softmax")
    sketch.matrix(14.0, 4.4, [[value]], "values", learnt=True, largest=7)
    own = sketch.matrix(14.0, 2.2, VALUES[0, 0].tolist(), largest=7)
    sketch.text(13.25, 3.9, "·", 16)
    out = sketch.matrix(17.0, 3.3, output[0, 0].tolist(), "output", largest=7)
    sketch.arrow((own.right[0], 3.8), out.left, "sum")
    sketch.text(9.3, 1.2, f"words alone: {alone:g}        share of the prefix: λ = {share:.2f} = 1/3", 10)
    sketch.text(9.3, 0.4, f"λ · {value:g} + (1 - λ) · {alone:g} = {share * value + (1 - share) * alone:g}", 10)
    return sketch.figure


def write_numbers(axis: Axes, table: torch.Tensor, form: str = ".2f", dark: float = 0.55, notes: Any = None) -> None:
    """The number of each cell of a picture, white where the cell is dark; `notes` is a second line in each."""
    for row in range(table.shape[0]):
        for column in range(table.shape[1]):
            number = float(table[row, column])
            text = format(number, form) + ("" if notes is None else f"\n± {float(notes[row, column]):.2f}")
            ink = "white" if abs(number) > dark else "black"
            axis.text(column, row, text, ha="center", va="center", color=ink, fontsize=9 if notes is None else 8)


def draw_shares(shares: Mapping[str, Sequence[float]]) -> Figure:
    """λ of every head as a picture, a row for each attention."""
    figure, axis = new_figure(height=3.7)
    table = torch.tensor(list(shares.values()))
    image = axis.imshow(table, cmap="Purples", vmin=0, vmax=1, aspect="auto")
    axis.set_yticks(range(len(shares)), list(shares))
    axis.set_xticks(range(table.shape[1]), [f"head {head}" for head in range(table.shape[1])])
    write_numbers(axis, table)
    figure.colorbar(image, label="λ: share of the prefix")
    return figure


def draw_bars(
    errors: Mapping[str, float], words: int, marked: Sequence[str] = (), height: float = 2.9, colour: str = PINK
) -> Figure:
    """British phoneme error in per cent, a bar for each name; `marked` ones are what the others are held against."""
    figure, axis = new_figure(height=height)
    colours = [BEFORE if name in marked else colour for name in errors]
    bars = axis.barh(list(errors), list(errors.values()), color=colours)
    axis.bar_label(bars, fmt="%.1f", fontsize=9, padding=2)
    axis.invert_yaxis()
    axis.margins(x=0.1)
    axis.set_xlabel(f"British phoneme error (%), {words} words")
    return figure


def draw_starts(losses: Mapping[tuple[str, float], Sequence[float]]) -> Figure:
    """The losses from both starts at several rates."""
    figure, axis = new_figure(height=3.2)
    starts = list(dict.fromkeys(start for start, _ in losses))
    rates = list(dict.fromkeys(rate for _, rate in losses))
    for (start, rate), values in losses.items():
        colour, line = (INDIGO, ORANGE)[starts.index(start)], ("-", "--")[rates.index(rate)]
        axis.plot(range(1, len(values) + 1), values, line, color=colour, label=f"{start}, rate {rate:g}")
    axis.set(xlabel="step", ylabel="loss on British words", yscale="log")
    legend_below(figure, axis, columns=2)
    return figure
