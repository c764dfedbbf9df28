"""What came of a check, and the four words for it."""

import re
from dataclasses import dataclass, field

PASSED, FAILED, NOT_ATTEMPTED, NOT_GRADED = "passed", "failed", "not attempted", "could not be graded"
EXIT_CODES = {PASSED: 0, FAILED: 1, NOT_ATTEMPTED: 2, NOT_GRADED: 3}

LONGEST_TEXT = 20_000
ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """What can be written to any file and shown on any terminal: no halves of characters, no escapes, no controls."""
    whole = text[:LONGEST_TEXT].encode("utf-8", "replace").decode()
    return CONTROLS.sub("", ESCAPES.sub("", whole))


@dataclass(frozen=True)
class Result:
    """What came of a check. `message` is what the student reads first; `tests` has a line for each test that ran.

    Whatever a student's file has said comes through here, and is clean afterwards.
    """

    name: str
    status: str
    message: str = ""
    where: str = ""
    printed: str = ""
    seconds: float = 0.0
    tests: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("message", "where", "printed"):
            object.__setattr__(self, name, clean(getattr(self, name)))
        tests = [{key: clean(value) for key, value in test.items()} for test in self.tests]
        object.__setattr__(self, "tests", tests)

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.status]
