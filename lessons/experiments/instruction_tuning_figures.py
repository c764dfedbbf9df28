"""Lesson 30's drawing, one conversation in tokens, and its figures."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from lessons.chat.comparing.figures import draw_before_after
from lessons.chat.comparing.kept import kept as compared
from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, BLACK, GREEN, INDIGO, NOTE, ORANGE, SKY
from lessons.teaching import Sketch, new_figure

START, END, LINE = "<|im_start|>", "<|im_end|>", "\\n"
CONVERSATION = (
    ((START, None), ("user", 2), (LINE, 1), ("British:", 64), ("color", 32), (END, 2), (LINE, 1)),
    ((START, 1), ("assistant", 1), (LINE, 1)),
    (("colour", 4), (END, 2)),
)
"""The example by hand: each token, and n where the model says it with probability 1/n. The last row is the answer."""
COLOURS = {"template": BEFORE, "question": SKY, "answer": INDIGO}
NAMES = {"before": "before", "answer": "answer alone", "whole text": "whole text", "no end": "answer, no end"}


def by_hand() -> dict[str, Any]:
    """The losses in nats of the example's tokens, prompt and answer."""
    rows = [[math.log(n) for _, n in row if n is not None] for row in CONVERSATION]
    return {"prompt": [*rows[0], *rows[1]], "answer": rows[2]}


def draw_conversation() -> Figure:
    """A row for each turn: the tokens, and under each its probability and its loss; those that are learnt have a red edge."""
    sketch = Sketch(18.6, 10.1)
    names = ("the user's turn", "the assistant's turn begins", "the answer: learnt")
    for row, (tokens, name) in enumerate(zip(CONVERSATION, names, strict=True)):
        y = 8.0 - 3.5 * row
        sketch.text(0.1, y + 1.75, name, ha="left", size=9, color=NOTE)
        for column, (token, n) in enumerate(tokens):
            place = sketch.box(0.1 + 2.64 * column, y, 2.5, 1.2, "", learnt=row == 2)
            sketch.text(place.top[0], y + 0.6, token, size=8.5, zorder=4)
            told = "nothing before it" if n is None else "p = 1" if n == 1 else f"p = 1/{n}"
            sketch.text(place.top[0], y - 0.4, told, size=7.5, color=NOTE)
            if n is not None:
                sketch.text(place.top[0], y - 1.0, f"{math.log(n):.2f}", size=8.5)
    losses = by_hand()
    mean = sum(losses["answer"]) / len(losses["answer"])
    both = [*losses["prompt"], *losses["answer"]]
    sketch.text(6.0, 1.75, f"the answer's {len(losses['answer'])} tokens: {mean:.2f} nats each", ha="left", size=10)
    told = f"all {len(both)} tokens: {sum(both) / len(both):.2f} each, {sum(losses['prompt']) / sum(both):.0%} of it the prompt's"
    sketch.text(6.0, 0.75, told, ha="left", size=10)
    return sketch.figure


def draw_shares(shares: Mapping[str, Mapping[str, float]]) -> Figure:
    """What is shared → part of the conversation → its share."""
    figure, axis = new_figure(height=2.2)
    for row, parts in enumerate(shares.values()):
        left = 0.0
        for name, share in parts.items():
            axis.barh(row, share, left=left, color=COLOURS[name], label=name if row == 0 else None)
            axis.text(left + share / 2, row, f"{share:.0%}", ha="center", va="center", fontsize=9, color="white")
            left += share
    axis.set_yticks(range(len(shares)), list(shares))
    axis.invert_yaxis()
    axis.set(xlim=(0, 1), xticks=[])
    legend_below(figure, axis, columns=3)
    return figure


def draw_runs(states: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Nats per token after each run: of the held-out answers, of the questions, and of an English text."""
    figure, axis = new_figure(height=3.2)
    measured = {"answer": "answer", "question": "question", "text": "English text"}
    width = 0.8 / len(states)
    for at, (name, colour) in enumerate(zip(states, (BEFORE, INDIGO, ORANGE, GREEN), strict=False)):
        values = [states[name]["nats"].get(key, states[name]["text"]) for key in measured]
        places = [column + (at - (len(states) - 1) / 2) * width for column in range(len(measured))]
        axis.bar(places, values, width=0.92 * width, color=colour, label=NAMES[name])
        for x, value in zip(places, values, strict=True):
            axis.text(x, value, f"{value:.2f}", ha="center", va="bottom", fontsize=8)
    axis.set_xticks(range(len(measured)), [f"{name}" for name in measured.values()])
    axis.set(ylabel="loss, nats per token")
    axis.margins(y=0.12)
    legend_below(figure, axis)
    return figure


def draw_packing(found: Mapping[str, float]) -> Figure:
    """The loss of the same texts in three arrangements."""
    figure, axis = new_figure(height=1.9)
    names = {"alone": "a row for each", "packed": "packed, apart", "in sight": "packed, in sight"}
    values = [found[name] for name in names]
    axis.barh(list(names.values()), values, color=[BEFORE, GREEN, ORANGE])
    for row, value in enumerate(values):
        axis.text(value, row, f" {value:.4f}", va="center", fontsize=9)
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set(xlabel="loss, nats per answer token")
    return figure


def draw_steps(losses: Sequence[float]) -> Figure:
    """The loss of every step."""
    figure, axis = new_figure(height=2.6)
    axis.plot(range(1, len(losses) + 1), losses, marker="o", color=INDIGO)
    axis.set(xlabel="step", ylabel="nats per answer token", ylim=(0, None))
    axis.axhline(0, color=BLACK, linewidth=0.5)
    return figure


def draw_techniques() -> Figure:
    """The kept comparison on the spelling, as wide as a page."""
    figure = draw_before_after(compared(), "spelling")
    figure.set_size_inches(6.8, 4.2)
    for axis in figure.axes:
        axis.title.set_fontsize("medium")
    return figure
