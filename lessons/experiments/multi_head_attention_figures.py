"""Lesson 4's drawing, the example by hand with two heads, and its figures."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from torch import Tensor

from lessons.drawing.style import AMERICAN
from lessons.experiments.multi_head_attention import ONLY, X, identity_attention
from lessons.teaching import Sketch, new_figure


def draw_two_heads() -> Figure:
    """Two positions of four features, cut into two heads; each fetches from another position."""
    small, sketch = identity_attention(), Sketch(19, 7.6)
    heads = small.split_heads(X)[0]
    result = small(X, X, X, ONLY)[0, :1].tolist()
    whole = sketch.matrix(1.2, 2.6, X[0].tolist(), "X", rows=["a", "b"], largest=8.0)
    joined = sketch.matrix(14.6, 3.1, result, "result", largest=8.0)
    for head, low in enumerate((4.9, 0.3)):
        part = sketch.matrix(7.2, low, heads[head].tolist(), f"head {head}", largest=8.0)
        fetched = sketch.matrix(11.4, low + 0.5, heads[head, head : head + 1].tolist(), largest=8.0)
        sketch.arrow(whole.right, part.left)
        sketch.arrow(part.right, fetched.left, f"looks at {'ab'[head]}")
        sketch.arrow(fetched.right, joined.left)
    sketch.text(16.6, 2.5, "concatenated,\nthen times W_O", 9)
    return sketch.figure


def draw_heads(maps: Mapping[str, Tensor], word: str) -> Figure:
    """All heads of the encoder on a word: one row for each layer."""
    layers = [weights for name, weights in maps.items() if name.startswith("encoder")]
    letters = [*word, "·"]
    figure, axes = new_figure(len(layers), len(layers[0]), height=6.0)
    for layer, (row, weights) in enumerate(zip(axes, layers, strict=True)):
        for head, axis in enumerate(row):
            axis.imshow(weights[head], cmap="Blues", vmin=0, vmax=1)
            axis.set_xticks(range(len(letters)), letters, fontsize=7)
            axis.set_yticks(range(len(letters)), letters, fontsize=7)
            axis.set_title(f"layer {layer}, head {head}", fontsize=9)
    return figure


def draw_cross(weights: Tensor, word: str, sounds: str) -> Figure:
    """The heads of one cross-attention, sounds downwards, letters across."""
    figure, axes = new_figure(columns=len(weights), height=2.9, sharey=True)
    for head, axis in enumerate(axes):
        axis.imshow(weights[head], cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axis.set_xticks(range(len(word) + 1), [*word, "·"], fontsize=8)
        axis.set_yticks(range(len(sounds) + 1), [*sounds, "·"], fontsize=8)
        axis.set_title(f"head {head}", fontsize=9)
    return figure


def draw_worse(worse: Tensor, names: Sequence[str]) -> Figure:
    """A field for each head: the points of error that the model loses without it."""
    figure, axis = new_figure(height=4.2)
    axis.imshow(worse, cmap="Reds", vmin=0, aspect="auto")
    for row in range(worse.shape[0]):
        for head in range(worse.shape[1]):
            ink = "white" if worse[row, head] > worse.max() * 0.6 else "black"
            axis.text(head, row, f"{worse[row, head]:+.1f}", ha="center", va="center", color=ink)
    axis.set_xticks(range(worse.shape[1]), [f"head {head}" for head in range(worse.shape[1])])
    axis.set_yticks(range(len(names)), names)
    return figure


def draw_together(errors: Mapping[int, float]) -> Figure:
    figure, axis = new_figure(height=2.8)
    axis.plot(list(errors), list(errors.values()), "o-", color=AMERICAN)
    axis.set(xlabel="heads taken away together, the least important first", ylabel="phoneme error (%)", ylim=(0, None))
    return figure
