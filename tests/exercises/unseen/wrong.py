"""The form of an unseen wrong solution, and how one is made of the live source."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

from lessons.exercises.catalogue import get
from lessons.exercises.exercise import Exercise, Wrong
from lessons.exercises.selfcheck.trials import edited
from lessons.exercises.stub import live_source
from tests.exercises.unseen import bits_and_preferences, language, model, techniques

FILES = (model, techniques, bits_and_preferences, language)

Edit = tuple[str, str]


@dataclass(frozen=True)
class Unseen:
    """Edits of the live source, all of them made, and a regular expression of what a card must say of them.

    It was written before anybody had seen the card. Of two mistakes, one named is enough.
    """

    exercise: Exercise
    names: str
    edits: tuple[Edit, ...]

    def source(self) -> str:
        """Raises ValueError where an edit no longer fits."""
        return reduce(self.edited, self.edits, live_source(self.exercise))

    def edited(self, source: str, edit: Edit) -> str:
        return edited(self.exercise, source, Wrong(*edit, message=""))

    @property
    def label(self) -> str:
        return f"{self.exercise.name}: " + "; ".join(
            f"{' '.join(old.split())} → {' '.join(new.split())}" for old, new in self.edits
        )


def all_unseen() -> Iterator[Unseen]:
    for file in FILES:
        for name, entries in file.UNSEEN.items():
            for names, *edits in entries:
                yield Unseen(get(name), names, tuple(edits))
