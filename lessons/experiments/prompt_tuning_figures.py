"""Lesson 18's drawing, with the by-hand example's numbers in it, and its figures."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lessons.drawing.families import family
from lessons.drawing.labels import legend_below
from lessons.drawing.style import AMERICAN, BEFORE, BRITISH, ORANGE, PINK
from lessons.experiments.prompt_tuning import MASK, PROMPT, TOKENS, VECTORS
from lessons.teaching import Sketch, new_figure
from peft.prompt_tuning import in_front


def draw_prompt_in_front() -> Figure:
    """Two learnt rows in front of five tokens and a padding; the positions come afterwards."""
    longer, mask = in_front(PROMPT, VECTORS, MASK)
    sketch = Sketch(18.5, 9.8)
    prompt = sketch.matrix(
        3.4, 7.0, PROMPT.tolist(), "P, learnt", rows=["[Prompt1]", "[Prompt2]"], learnt=True, largest=9
    )
    words = sketch.matrix(3.4, 0.6, VECTORS[0].tolist(), rows=TOKENS, largest=9)
    sketch.text(words.left[0] - 1.6, 0.15, "√d E[source], frozen", 9, ha="left")
    both = sketch.matrix(8.0, 0.9, longer[0].tolist(), "[P ; x]", largest=9)
    sketch.arrow(prompt.right, (both.left[0], 7.9))
    sketch.arrow(words.right, (both.left[0], 3.9))
    for place, seen in enumerate(mask[0, 0, 0].tolist()):
        height = both.top[1] - place - 0.5
        sketch.text(11.0, height, str(place))
        sketch.text(12.6, height, "yes" if seen else "hidden", 9)
    sketch.text(11.0, both.top[1] + 0.45, "position")
    sketch.text(12.9, both.top[1] + 0.45, "visible")
    model = sketch.box(14.4, 3.4, 3.8, 3.0, "encoder,\ndecoder,\nall frozen")
    sketch.arrow((13.3, model.left[1]), model.left)
    return sketch.figure


def draw_moved(errors: Mapping[int, float], seen: int) -> Figure:
    """American error over how far the letters are moved; `seen` is the last start of pretraining."""
    figure, axis = new_figure(height=3.2)
    axis.axvspan(0, seen, color=BEFORE, alpha=0.15, linewidth=0)
    axis.text(seen / 2, 0.9 * max(errors.values()), "starts that pretraining drew", ha="center", fontsize=9)
    axis.plot(list(errors), list(errors.values()), "o-", color=AMERICAN)
    axis.set(xlabel="letters moved by so many places, no prompt", ylabel="American phoneme error (%)", ylim=(0, None))
    return figure


def draw_losses(losses: Mapping[str, Sequence[float]]) -> Figure:
    figure, axis = new_figure(height=2.8)
    for (name, values), colour in zip(losses.items(), (PINK, ORANGE), strict=True):
        axis.plot(range(1, len(values) + 1), values, color=colour, label=name)
    axis.set(xlabel="step", ylabel="loss on British words", ylim=(0, None))
    legend_below(figure, axis)
    return figure


def draw_reach(shares: Sequence[float], changes: Sequence[float]) -> Figure:
    """Left: attention on the prompt. Right: how much the letters' attention to each other has changed."""
    figure, (left, right) = new_figure(columns=2, height=3.4)
    layers = [str(layer) for layer in range(len(shares))]
    left.bar(layers, shares, color=PINK)
    left.set(ylabel="attention on the prompt (%)", xlabel="layer of the encoder")
    right.bar(layers, changes, color=BRITISH)
    right.set(ylabel="largest change\nbetween letters", xlabel="layer of the encoder")
    return figure


def draw_few(amounts: Sequence[int], errors: Mapping[str, Sequence[float]], before: float) -> Figure:
    """British error over the number of words to learn from."""
    figure, axis = new_figure(height=3.0)
    for method, values in errors.items():
        _, colour, marker = family(method)
        axis.plot(amounts, values, f"{marker}-", color=colour, label=method)
    axis.axhline(before, color=BEFORE, linestyle="--", linewidth=1, label="base, not tuned")
    axis.set(xscale="log", xlabel="words to learn from", ylabel="British phoneme error (%)", ylim=(0, None))
    axis.set_xticks(amounts, [str(amount) for amount in amounts])
    axis.minorticks_off()
    legend_below(figure, axis)
    return figure
