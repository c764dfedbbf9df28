"""Lesson 1's drawing, with the numbers of the model that has one, and its figures."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import AMERICAN, BEFORE, BRITISH, WINE
from lessons.experiments.fine_tuning import FROM_BASE, FROM_NOTHING, GOAL, learn_one_number
from lessons.task.scoring import Score
from lessons.teaching import Sketch, new_figure


def draw_two_stages() -> Figure:
    """The same three steps from the base's number and from nothing."""
    sketch = Sketch(18, 6.2)
    base = sketch.box(0.2, 3.7, 4.2, 1.4, "pretraining\nmuch general data")
    nothing = sketch.box(0.2, 0.7, 4.2, 1.4, "no pretraining")
    for start, origin, name in ((FROM_BASE, base, "base"), (FROM_NOTHING, nothing, "nothing")):
        first, *rest = learn_one_number(start)
        middle = origin.right[1]
        begun = sketch.matrix(5.6, middle - 0.5, [[first]], name, cell=(1.5, 1.0), largest=GOAL)
        learnt = sketch.matrix(
            9.2, middle - 0.5, [rest], "three steps on the task", form=".4g", cell=(1.5, 1.0), largest=GOAL
        )
        sketch.arrow(origin.right, begun.left)
        sketch.arrow(begun.right, learnt.left)
        sketch.arrow(learnt.right, (learnt.right[0] + 1.4, middle))
        sketch.text(learnt.right[0] + 1.6, middle, f"off by {GOAL - rest[-1]:g}", ha="left")
    return sketch.figure


def draw_losses(losses: Mapping[str, Sequence[float]]) -> Figure:
    figure, axis = new_figure(height=3.0)
    for (name, values), colour in zip(losses.items(), (BRITISH, WINE), strict=True):
        axis.plot(range(1, len(values) + 1), values, color=colour, label=name)
    axis.set(xlabel="step", ylabel="loss on British words", ylim=(0, None))
    legend_below(figure, axis)
    return figure


def draw_both_accents(errors: Mapping[str, tuple[Score, Score]]) -> Figure:
    """Phoneme error of each model: American and British side by side."""
    figure, axis = new_figure(height=3.0)
    for offset, (accent, colour) in enumerate((("American", AMERICAN), ("British", BRITISH))):
        heights = [100 * scores[offset].phoneme_error for scores in errors.values()]
        places = [place + 0.38 * offset for place in range(len(heights))]
        bars = axis.bar(places, heights, 0.36, label=accent, color=colour)
        axis.bar_label(bars, fmt="%.0f", padding=2)
    axis.set_xticks([place + 0.19 for place in range(len(errors))], list(errors))
    axis.set_ylabel("phoneme error (%)")
    legend_below(figure, axis)
    return figure


def draw_moved(moved: Mapping[str, float]) -> Figure:
    figure, axis = new_figure(height=2.6)
    axis.hist(list(moved.values()), bins=24, color=BEFORE)
    axis.set(xlabel="‖W after - W before‖ / ‖W before‖ of a matrix (%)", ylabel="matrices")
    return figure
