"""How far a student is: a text file with a line for each exercise."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lessons.exercises.grading.result import NOT_ATTEMPTED
from lessons.exercises.student.files import write_whole

PROGRESS = "progress.txt"
HEADING = "# One line for each exercise: name | status | hints read. Written by `python -m lessons`.\n"


@dataclass(frozen=True)
class Progress:
    """How one exercise stands."""

    status: str = NOT_ATTEMPTED
    hints: int = 0


def read_progress(path: Path) -> dict[str, Progress]:
    """The entries in their order, the last one worked on last. A line that is none is passed over."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    matches = [re.fullmatch(r"(\w+) \| ([a-z ]+) \| (\d+)", line.strip()) for line in lines]
    return {found[1]: Progress(found[2], int(found[3])) for found in matches if found}


def write_progress(path: Path, entries: Mapping[str, Progress]) -> None:
    lines = [f"{name} | {entry.status} | {entry.hints}\n" for name, entry in entries.items()]
    write_whole(path, HEADING + "".join(lines))
