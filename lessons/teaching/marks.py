"""The marks of the techniques in the figure: on a matrix, beside an attention, before the words, after a sub-layer."""

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from lessons.teaching.layout import ATTENTIONS, BOXES, ENCODER, FEED_FORWARDS, TECHNIQUES, WIDTH, Box

RED = "#d0342c"


def draw_marks(axis: Axes, lit: set[str]) -> None:
    """All that are lit, and one line at the foot that says what the red ones are."""
    for box in BOXES:
        if "weights" in lit and box.name in (*ATTENTIONS, *FEED_FORWARDS):
            draw_matrix(axis, box)
        if "keys_values" in lit and box.name in ATTENTIONS:
            draw_prefix(axis, box)
        if "adapter" in lit and box.sublayer:
            mark(axis, box.x - 0.45, box.top + 0.1, 0.9, 0.2)
    if "prompt" in lit:
        for place in range(3):
            mark(axis, ENCODER - WIDTH / 2 - 0.4 - 0.32 * place, 1.52, 0.24, 0.26)
    if shown := [meaning for name, meaning in TECHNIQUES.items() if name in lit]:
        axis.text(-0.5, 13.15, "red:  " + "\n         ".join(shown), color=RED, fontsize=8.5, va="top", zorder=5)


def mark(axis: Axes, x: float, y: float, width: float, height: float) -> None:
    axis.add_patch(Rectangle((x, y), width, height, facecolor=RED, edgecolor="white", linewidth=0.8, zorder=5))


def draw_matrix(axis: Axes, box: Box) -> None:
    """A little grid on the outer edge of a box that holds matrices."""
    left = box.x + box.outward * (WIDTH / 2 - 0.03) - 0.225
    for row in range(3):
        for column in range(3):
            mark(axis, left + 0.15 * column, box.y + 0.16 + 0.16 * row, 0.14, 0.15)


def draw_prefix(axis: Axes, box: Box) -> None:
    """Three keys and three values beside those that the attention makes itself."""
    left = box.x - box.outward * (WIDTH / 2 + 0.06) - 0.215
    for row in range(3):
        for column in range(2):
            mark(axis, left + 0.23 * column, box.y + 0.08 + 0.22 * row, 0.2, 0.19)
