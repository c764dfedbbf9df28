"""What a check gives back: a number, what it says in words, and whether it is that of an illness."""

from dataclasses import dataclass

from lessons.language.message import in_language


@dataclass(frozen=True)
class Measurement:
    """One number of a run, healthy or sick.

    `name`     the case that it belongs to, "merged-twice"
    `number`   what was measured
    `says`     the number in a sentence
    `sick`     whether it is that of the illness
    `where`    module, token or step, where there is one
    """

    name: str
    number: float
    says: str
    sick: bool
    where: str = ""


@dataclass(frozen=True)
class Finding:
    """A sick measurement, and what to do."""

    name: str
    number: float
    says: str
    where: str
    repair: str

    def __str__(self) -> str:
        """In the language that is spoken."""
        place = f" ({in_language(self.where)})" if self.where else ""
        return f"{self.name}: {in_language(self.says)}{place}\n  {in_language(f'repair: {self.repair}')}"
