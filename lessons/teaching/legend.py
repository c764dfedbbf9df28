"""What the words inside a figure mean in another language: one line below the figure."""

from collections.abc import Collection, Sequence

from lessons.teaching.said import Say

HEADING = "In the figure: {words}."


def legend(labels: Sequence[str], known: Collection[str], say: Say) -> str:
    """Each label with its meaning, in the order of the drawing; empty where none is `known`."""
    pairs = [f"{label} = {say(label)}" for label in labels if label in known]
    return say(HEADING).format(words="；".join(pairs)) if pairs else ""
