"""What an exercise is: names in a real module, and what belongs to them. Data only; there is no copy of any code."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wrong:
    """A solution that students really write, as a small edit of the live source, and the message that it must get.

    `old` stands exactly once in the target's body. `message` is a part of what the student reads.
    """

    old: str
    new: str
    message: str


@dataclass(frozen=True)
class Exercise:
    """One exercise. `targets` are functions and methods of `module`, "MultiHeadAttention.forward".

    `hints`      from a nudge to nearly the answer
    `after`      the exercises to solve before
    `harmless`   automatic mutants (selfcheck/mutants.py) that compute the same, by their changed line
    `forbidden`  what does the exercise's work ready-made, by the last parts of its dotted name (grading/ready_made.py)
    `topic`      the file of probes/ in which the function NAME makes what a judge compares with the real code

    Its grading tests are tests/exercises/graders/test_NAME.py.
    """

    name: str
    title: str
    topic: str
    lesson: int
    module: str
    targets: tuple[str, ...]
    difficulty: int
    minutes: int
    hints: tuple[str, ...]
    wrong: tuple[Wrong, ...]
    after: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    points: int = 0

    def __post_init__(self) -> None:
        if not self.targets or not 1 <= self.difficulty <= 5:
            raise ValueError(
                f"{self.name}: an exercise has targets and a difficulty from 1 to 5, not {self.difficulty}"
            )
        if len(self.hints) < 2:
            raise ValueError(f"{self.name}: hints come in two levels or more, not {len(self.hints)}")

    @property
    def file_name(self) -> str:
        return f"{self.name}.py"

    @property
    def tests(self) -> tuple[str, ...]:
        return (f"tests/exercises/graders/test_{self.name}.py",)

    @property
    def probe(self) -> str:
        return f"{self.topic}.{self.name}"

    @property
    def worth(self) -> int:
        """Points: what the entry says, else ten for every step of difficulty."""
        return self.points or 10 * self.difficulty
