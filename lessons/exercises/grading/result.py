"""What came of a check, and the four words for it."""

from dataclasses import dataclass, field

PASSED, FAILED, NOT_ATTEMPTED, NOT_GRADED = "passed", "failed", "not attempted", "could not be graded"
EXIT_CODES = {PASSED: 0, FAILED: 1, NOT_ATTEMPTED: 2, NOT_GRADED: 3}


@dataclass(frozen=True)
class Result:
    """What came of a check. `message` is what the student reads first; `tests` has a line for each test that ran."""

    name: str
    status: str
    message: str = ""
    where: str = ""
    printed: str = ""
    seconds: float = 0.0
    tests: list[dict[str, str]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.status]
