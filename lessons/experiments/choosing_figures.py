"""Lesson 32's drawing, a tree of decisions with what the saved comparison says at its leaves, and its figures."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lessons.compare.beside_hf import both, ranks
from lessons.compare.kept import kept_report
from lessons.drawing.families import family
from lessons.drawing.labels import legend_below
from lessons.drawing.style import AMERICAN, BEFORE, BRITISH, NOTE
from lessons.experiments.choosing import (
    CUSTOMERS,
    KILOBYTES,
    NO_ROOM,
    british,
    fitting,
    kilobytes,
    questions,
    twenty_customers,
)
from lessons.experiments.choosing_amounts import amount_names, amounts, at, counts
from lessons.teaching import Sketch, lowest, new_figure

WHAT = {
    "training": "words that it learnt from",
    "british": "British, held out",
    "american": "American, held out",
}


def best_of(question: str) -> str:
    return lowest(fitting(question))


def leaf(method: str) -> str:
    return f"{method}\n{british(method):.1f} % British WER"


def draw_tree() -> Figure:
    """Four questions downwards; what each answer leads to at the right."""
    small, sizes = best_of(f"a file below {KILOBYTES[2]} kB for each task"), twenty_customers()
    leaves = [
        ("Can the right answer\nbe written down?", "no", "preferences\n(lessons 24-27)"),
        ("Does the base fit\ninto the memory?", "no", leaf(best_of(NO_ROOM))),
        ("One task or many?", "one", leaf(best_of("no cost when used: it merges")) + f"\nmerged: {sizes['full']:.2f} MB"),
        (f"{CUSTOMERS} tasks: is {sizes['adapters']:.1f} MB\n(base + {CUSTOMERS} LoRA) too much?", "no",
         leaf(best_of("many tasks in one batch: it mixes")) + "\nmixes in a batch"),
    ]  # fmt: skip
    sketch = Sketch(18.5, 11.6)
    height, step = 1.7, 2.35
    for number, (question, answer, then) in enumerate(leaves):
        y = 9.7 - number * step
        asked = sketch.box(0.2, y, 7.4, height, question)
        to = sketch.box(11.4, y, 6.8, height, then)
        sketch.arrow(asked.right, to.left, answer)
        sketch.arrow(asked.bottom, (asked.bottom[0], y - step + height))
        sketch.text(asked.bottom[0] + 0.3, y - 0.33, {"no": "yes", "one": "many"}[answer], 9, ha="left", color=NOTE)
    total = sizes["full"] + CUSTOMERS * kilobytes(small) / 1e3
    sketch.box(0.2, 9.7 - 4 * step, 7.4, height, leaf(small) + f"\n{CUSTOMERS} tasks: {total:.1f} MB")
    return sketch.figure


def draw_questions(before: float) -> Figure:
    """For each question all techniques that fit, and the best of them by name."""
    figure, axis = new_figure(height=4.4)
    asked = {question: fitting(question) for question in questions()}
    for place, errors in enumerate(asked.values()):
        chosen = lowest(errors)
        _, colour, marker = family(chosen)
        axis.plot(list(errors.values()), [place] * len(errors), "|", color="#c8c8c8", markersize=12)
        axis.plot(errors[chosen], place, marker, color=colour, markersize=8)
        axis.annotate(
            chosen, (errors[chosen], place), (-8, 0), textcoords="offset points", va="center", ha="right", fontsize=9
        )
    axis.axvline(before, color=BEFORE, linestyle="--")
    axis.set_yticks(range(len(asked)), list(asked))
    least = min(min(errors.values()) for errors in asked.values())
    axis.set(xlim=(least - 22, before + 8), xlabel="British word error (%); grey: whatever fits; dashed: the base")
    axis.invert_yaxis()
    return figure


def draw_beside() -> Figure:
    """The places of the shared techniques in our order and in theirs."""
    rows = both(kept_report())
    here, there = ranks([row.word_error for row in rows]), ranks([-row.theirs["accuracy"] for row in rows])
    figure, axis = new_figure(height=3.9)
    for row, left, right in zip(rows, here, there, strict=True):
        _, colour, marker = family(row.method)
        axis.plot([0, 1], [left, right], f"{marker}-", color=colour)
        axis.text(-0.04, left, f"{row.method} {100 * row.word_error:.1f} %", ha="right", va="center", fontsize=9)
        axis.text(1.04, right, f"{100 * row.theirs['accuracy']:.1f} % {row.method}", ha="left", va="center", fontsize=9)
    axis.set(xlim=(-0.9, 1.9), ylim=(len(rows) + 0.6, -0.4))
    axis.text(0, 0.1, "here: British word error", ha="center", fontsize=9, color=NOTE)
    axis.text(1, 0.1, "there: accuracy", ha="center", fontsize=9, color=NOTE)
    axis.axis("off")
    return figure


def draw_amounts() -> Figure:
    """Word error over the number of words, for learnt, held-out British and American ones."""
    figure, panels = new_figure(columns=3, height=3.3, sharey=True)
    for axis, (what, title) in zip(panels, WHAT.items(), strict=True):
        for method in amount_names():
            _, colour, marker = family(method)
            errors = [at(method, count, what) for count in counts()]
            style = "--" if method == "bitfit" else "-"  # of one family with full: the same colour
            axis.plot(counts(), errors, f"{marker}{style}", color=colour, label=method)
        axis.set(xscale="log", xlabel="words to learn from")
        axis.set_title(title, fontsize=10)
    panels[0].set_ylabel("word error at the end (%)")
    legend_below(figure, panels[0])
    return figure


def draw_steps(method: str, two: Sequence[int]) -> Figure:
    """The three errors over the steps, on few words and on many."""
    figure, panels = new_figure(columns=2, height=3.2, sharey=True)
    colours = {"training": NOTE, "british": BRITISH, "american": AMERICAN}
    for axis, count in zip(panels, two, strict=True):
        points = range(len(amounts()[method, count][0]))
        steps = [point["step"] for point in amounts()[method, count][0]]
        for what, title in WHAT.items():
            axis.plot(
                steps, [at(method, count, what, point) for point in points], "o-", color=colours[what], label=title
            )
        axis.set(xlabel="step", ylim=(-3, 100))
        axis.set_title(f"{method}, {count:,} words", fontsize=10)
    panels[0].set_ylabel("word error (%)")
    legend_below(figure, panels[0])
    return figure


def draw_volumes(found: Mapping[float, tuple[float, float]]) -> Figure:
    figure, axis = new_figure(height=3.0)
    for index, (accent, colour) in enumerate((("British", BRITISH), ("American", AMERICAN))):
        axis.plot(list(found), [errors[index] for errors in found.values()], "o-", color=colour, label=accent)
    axis.set(xlabel="volume s of the adapter", ylabel="word error (%)")
    legend_below(figure, axis)
    return figure
