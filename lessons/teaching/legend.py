"""What the words inside a figure mean in another language: one line below the figure."""

from collections.abc import Sequence

from lessons.language.outputs import Tell, told
from lessons.teaching.said import Say

HEADING = "In the figure: {words}."


def legend(labels: Sequence[str], say: Say, tell: Tell) -> str:
    """Each label with its meaning, in the order of the drawing; empty where none has one."""
    pairs = [f"{label} = {said}" for label in labels if (said := told(label, tell)) != label]
    return say(HEADING).format(words="；".join(pairs)) if pairs else ""
