"""Lesson 2's drawing, the example by hand between its two tables, and its figures."""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from lessons.drawing.labels import legend_below
from lessons.drawing.style import AMERICAN, BEFORE
from lessons.experiments.input_embedding import LETTERS, by_hand
from lessons.teaching import Sketch, new_figure
from transformer import sinusoidal_positional_encoding

OTHER_TOKENS = ((1.0, 0.5, 0.0, -1.0), (-0.5, 0.0, 1.0, 0.5))
"""Rows of tokens 0 and 2 in the drawing; the example uses neither."""


def draw_two_tables() -> Figure:
    """A row of E, scaled, plus a row of PE."""
    numbers, sketch = by_hand(), Sketch(19, 8.2)
    table = [OTHER_TOKENS[0], numbers["row"].tolist(), OTHER_TOKENS[1]]
    positions = sinusoidal_positional_encoding(2, 4).tolist()
    sketch.matrix(2.9, 4.4, table, "E, learnt", rows=[f"token {row}" for row in range(3)], learnt=True, largest=3.0)
    wide = (1.25, 1.0)
    sketch.matrix(
        2.9, 0.3, positions, "PE, a formula", rows=["position 0", "position 1"], form=".2f", cell=wide, largest=3.0
    )
    scaled = sketch.matrix(9.4, 5.4, [numbers["scaled"].tolist()], "√d · E[1]", largest=3.0)
    plus = sketch.box(10.9, 2.6, 1.0, 1.0, "+")
    total = sketch.matrix(13.4, 2.6, [numbers["sum"].tolist()], "x", form=".2f", cell=wide, largest=3.0)
    sketch.arrow((6.9, 5.9), scaled.left, "times 2")
    sketch.arrow(scaled.bottom, plus.top)
    sketch.arrow((7.9, 0.8), plus.bottom, curve=0.25)
    sketch.arrow(plus.right, total.left)
    return sketch.figure


def draw_waves(d_model: int, positions: int = 40) -> Figure:
    """The table of positions; four of its columns; products of three of its rows with all."""
    table = sinusoidal_positional_encoding(positions, d_model)
    figure, (whole, waves, products) = new_figure(columns=3, height=3.4)
    whole.imshow(table, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
    whole.set(xlabel="feature", ylabel="position", title="the table")
    for feature in (0, d_model // 8, d_model // 4, d_model // 2):
        waves.plot(table[:, feature], label=f"feature {feature}")
    waves.set(xlabel="position", title="four columns")
    for position in (5, 15, 30):
        products.plot(table @ table[position], linestyle="--", label=f"with position {position}")
    products.set(xlabel="position", title="products of rows", ylim=(0, None))
    pairs = [axis.get_legend_handles_labels() for axis in (waves, products)]
    figure.legend(pairs[0][0] + pairs[1][0], pairs[0][1] + pairs[1][1], fontsize=8, loc="outside lower center", ncols=4)
    return figure


def draw_letters(cosines: Float[Tensor, "26 26"]) -> Figure:
    figure, axis = new_figure(height=5.2)
    image = axis.imshow(cosines, cmap="RdBu", vmin=-0.5, vmax=0.5)
    axis.set_xticks(range(len(LETTERS)), LETTERS, fontsize=9)
    axis.set_yticks(range(len(LETTERS)), LETTERS, fontsize=9)
    figure.colorbar(image, label="cosine")
    return figure


def draw_lengths(lengths: Mapping[str, float]) -> Figure:
    figure, axis = new_figure(height=2.1)
    bars = axis.barh(list(lengths), list(lengths.values()), color=BEFORE)
    axis.bar_label(bars, fmt="%.1f", padding=3)
    axis.set(xlabel="length", xlim=(0, 1.15 * max(lengths.values())))
    axis.invert_yaxis()
    return figure


def draw_moved(errors: Mapping[int | None, float], trained: int) -> Figure:
    """Phoneme error over the place of the first letter; up to `trained` the base has seen it there."""
    figure, axis = new_figure(height=3.1)
    starts: Sequence[int] = [start for start in errors if start is not None]
    axis.axvspan(0, trained, color="#eef1f4", label="first letter here in pretraining")
    axis.plot(starts, [errors[start] for start in starts], "o-", color=AMERICAN, label="with positions")
    axis.axhline(errors[None], color=BEFORE, linestyle="--", label="without positions")
    axis.set(xlabel="position of the first letter", ylabel="phoneme error (%)", ylim=(0, None))
    legend_below(figure, axis)
    return figure
