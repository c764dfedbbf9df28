"""Lesson 10's drawing, the tree of the tiny language with its probabilities, and its figures."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, GREEN, INDIGO, WINE
from lessons.experiments.decoding import TABLE, A, B, Differing
from lessons.teaching import Sketch, new_figure
from lessons.teaching.sketch import Place


def draw_tree() -> Figure:
    """All sequences of the tiny language; the greedy way takes A, the likeliest sequence begins with B."""
    sketch = Sketch(18, 8.2)
    start = sketch.box(0.2, 3.6, 2.2, 1.0, "start")
    first = {token: sketch.box(5.2, y, 1.6, 1.0, name) for token, y, name in ((A, 5.6, "A"), (B, 1.6, "B"))}
    _, to_a, to_b = TABLE[()]
    for token, chance in ((A, to_a), (B, to_b)):
        branch(sketch, start, first[token], chance)
    for token, chance, low in ((A, to_a, 4.4), (B, to_b, 0.4)):
        end, a, b = TABLE[(token,)]
        name = "A" if token == A else "B"
        whole = {f"{name} A end": a, f"{name} B end": b, f"{name} end": end}
        for row, (sequence, next_chance) in enumerate(whole.items()):
            best = sequence == "B end"
            leaf = sketch.box(10.0, low + 2.4 - 1.2 * row, 3.0, 0.9, sequence)
            branch(sketch, first[token], leaf, next_chance)
            product = f"{chance:g} · {next_chance:g} = {chance * next_chance:.3g}"
            sketch.text(13.4, leaf.right[1], product, 9, ha="left", fontweight="bold" if best else "normal")
    sketch.text(6.0, 7.1, "greedy goes here: 0.6 > 0.4", 9)
    sketch.text(6.0, 1.1, "the best whole begins here", 9)
    return sketch.figure


def branch(sketch: Sketch, start: Place, end: Place, chance: float) -> None:
    sketch.arrow(start.right, end.left)
    x, y = (start.right[0] + 2 * end.left[0]) / 3, (start.right[1] + 2 * end.left[1]) / 3
    sketch.text(x, y, f"{chance:g}", 9, backgroundcolor="white", zorder=3)


def draw_cuts(cut: Mapping[str, Sequence[float]]) -> Figure:
    figure, axes = new_figure(columns=len(cut), height=2.3, sharey=True)
    for axis, (name, probabilities) in zip(axes, cut.items(), strict=True):
        axis.bar_label(axis.bar(range(4), probabilities, color=INDIGO), [f"{p:.2f}" for p in probabilities], fontsize=8)
        axis.set_title(name.replace("temperature", "temperature\n"), fontsize=10)
        axis.set_xticks(range(4), "ABCD")
        axis.set_ylim(0, 1.1)
    axes[0].set_ylabel("probability")
    return figure


def draw_word_errors(errors: Mapping[str, float]) -> Figure:
    figure, axis = new_figure(height=2.7)
    axis.bar_label(axis.barh(list(errors), list(errors.values()), color=BEFORE), fmt="%.0f", padding=3)
    axis.invert_yaxis()
    axis.set(xlabel="words wrong (%)", xlim=(0, 1.15 * max(errors.values())))
    return figure


def draw_likelier(found: Sequence[Differing]) -> Figure:
    """Log-probability of the beams' answer over that of the greedy one, a dot for each word where they differ."""
    figure, axis = new_figure(height=3.6)
    kinds = (
        ("the beams' answer is right", GREEN, "^", lambda each: each.beam_right and not each.greedy_right),
        ("the greedy one is", WINE, "v", lambda each: each.greedy_right and not each.beam_right),
        ("both or neither", BEFORE, "o", lambda each: each.greedy_right == each.beam_right),
    )
    for name, colour, marker, belongs in kinds:
        dots = [each for each in found if belongs(each)]
        axis.scatter(
            [each.greedy for each in dots], [each.beam for each in dots], color=colour, marker=marker, s=26, label=name
        )
    axis.axline((-2, -2), slope=1, color=BEFORE, linewidth=1, zorder=0)
    axis.set(xlabel="log p of the greedy answer", ylabel="log p of the beams' answer")
    legend_below(figure, axis)
    return figure


def draw_faster(ratios: Mapping[int, float]) -> Figure:
    figure, axis = new_figure(height=2.7)
    axis.plot(list(ratios), list(ratios.values()), "o-", color=INDIGO)
    axis.axhline(1, color=BEFORE, linestyle=":")
    axis.set(xlabel="symbols to decode", ylabel="times faster with the cache", ylim=(0, None))
    return figure
