"""The workbook: a folder with one file for each exercise that a student has begun, and a text file of their progress."""

import itertools
import shlex
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path

from lessons.exercises.assignment import FILE, Assignment, assignment_beside
from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.result import FAILED, NOT_ATTEMPTED, PASSED, Result
from lessons.exercises.source import LIBRARY, UnreadableSourceError, attempted, lines_of
from lessons.exercises.stub import stub_of
from lessons.exercises.student.files import read_submission, write_whole
from lessons.exercises.student.progress import PROGRESS, Progress, read_progress, write_progress
from lessons.language.words import say, tell

USUAL = "workbook"
SAID = ".said.txt"


class Workbook:
    """A student's folder. What is in it is never overwritten."""

    def __init__(self, folder: str | Path = USUAL):
        self.folder = Path(folder)

    @cached_property
    def assignment(self) -> Assignment:
        """What is asked here: what a teacher has given out, else everything."""
        return assignment_beside(self.folder)

    @property
    def exercises(self) -> Sequence[Exercise]:
        return self.assignment.exercises

    def command(self, verb: str, name: str) -> str:
        """What is typed to do it here: with the folder where it is not the usual one."""
        folder = "" if str(self.folder) == USUAL else f" --workbook {shlex.quote(str(self.folder))}"
        return f"python -m lessons {verb} {name}{folder}"

    def path(self, exercise: Exercise) -> Path:
        return self.folder / exercise.file_name

    def start(self, exercise: Exercise) -> bool:
        """Writes the stub; False if the file is there already, which stays as it is."""
        if self.path(exercise).exists():
            return False
        write_whole(self.path(exercise), self.stub(exercise))
        return True

    def stub(self, exercise: Exercise) -> str:
        """With what is passed in the same module: that may be read. In an exam no line speaks of checks and hints."""
        text = stub_of(exercise, solved=[name for name, status in self.statuses().items() if status == PASSED])
        lines = lines_of(text)
        return "".join(line for line in lines if not (self.assignment.exam and line.startswith("# python -m lessons")))

    def reset(self, exercise: Exercise) -> Path | None:
        """A new stub; what was there keeps its text under another name, which is returned."""
        path = self.path(exercise)
        kept = self.free_name(path) if path.exists() else None
        if kept is not None:
            path.replace(kept)
        self.start(exercise)
        self.record(exercise, status=NOT_ATTEMPTED)
        return kept

    def free_name(self, path: Path) -> Path:
        numbers = itertools.count(1)
        names = (path.with_name(f"{path.stem}.old{number}{path.suffix}") for number in numbers)
        return next(name for name in names if not name.exists())

    def entries(self) -> dict[str, Progress]:
        """What stands in the text file."""
        return read_progress(self.folder / PROGRESS)

    def progress(self, exercise: Exercise) -> Progress:
        return self.entries().get(exercise.name, Progress())

    def statuses(self) -> dict[str, str]:
        """How every exercise stands."""
        entries = self.entries()
        return {each.name: entries.get(each.name, Progress()).status for each in self.exercises}

    def next_open(self, near: Exercise | None = None, names: Collection[str] = ()) -> Exercise | None:
        """The first exercise that is not passed and whose prerequisites are, else the first that is not passed.

        `near`    one whose lesson comes first: without it, the one that was worked on last (`worked_on`)
        `names`   only of these, the exercises of a track
        """
        status, near = self.statuses(), near or self.worked_on()
        every = [exercise for exercise in self.exercises if not names or exercise.name in names]
        waiting = [exercise for exercise in every if status[exercise.name] != PASSED]
        ready = [exercise for exercise in waiting if all(status.get(name, PASSED) == PASSED for name in exercise.after)]
        here = [exercise for exercise in ready if near and exercise.lesson == near.lesson]
        return next(iter([*here, *ready, *waiting]), None)

    def latest(self) -> Exercise | None:
        """The exercise whose file was saved last."""
        begun = [exercise for exercise in self.exercises if self.is_begun(exercise)]
        return max(begun, key=lambda exercise: self.path(exercise).stat().st_mtime, default=None)

    def worked_on(self) -> Exercise | None:
        """The one whose file was saved last, or that was checked, hinted at or begun in a notebook since: there are no files there."""
        saved = self.latest()
        names = {exercise.name: exercise for exercise in self.exercises}
        noted = next((names[name] for name in reversed(self.entries()) if name in names), None)
        if saved is None or noted is None:
            return saved or noted
        since = (self.folder / PROGRESS).stat().st_mtime_ns >= self.path(saved).stat().st_mtime_ns
        return noted if since else saved

    def is_begun(self, exercise: Exercise) -> bool:
        """Of the stubs that a teacher has given out, the one that was written last is not what the student works on."""
        path = self.path(exercise)
        if not (self.folder.absolute().parent / FILE).is_file():
            return path.is_file()
        try:
            return attempted(read_submission(path), exercise.targets)
        except FileNotFoundError:
            return False
        except UnreadableSourceError:
            return True

    def next_hints(self, exercise: Exercise) -> list[str]:
        """One hint more than was read before, with those. Raises ValueError in an exam."""
        self.refuse_in_exam("hints")
        shown = min(self.progress(exercise).hints + 1, len(exercise.hints))
        self.record(exercise, hints=shown)
        every = enumerate(exercise.hints[:shown], start=1)
        many = len(exercise.hints)
        return [tell("hint {number} of {many}: {text}", number=n, many=many, text=say(text)) for n, text in every]

    def refuse_in_exam(self, what: str) -> None:
        if self.assignment.exam:
            raise ValueError(f"this is an exam: there are no {what} here")

    def keep(self, exercise: Exercise, result: Result) -> None:
        """Remembers how a check ended, if it did."""
        if result.status in (PASSED, FAILED):
            self.record(exercise, status=result.status)

    def first_time(self, sentence: str) -> bool:
        """Whether it has not been said here yet; from now on it has, where there is a folder to remember it in."""
        path = self.folder / SAID
        said = path.read_text(encoding="utf-8") if path.is_file() else ""
        new = f"{sentence}\n" not in said
        if new and self.folder.is_dir():
            write_whole(path, f"{said}{sentence}\n")
        return new

    def record(self, exercise: Exercise, status: str | None = None, hints: int | None = None) -> None:
        """Writes down what is given, as the last line. A pass counts for good: whatever comes after it is practice."""
        entries = self.entries()
        entries.pop(exercise.name, None)
        before = self.progress(exercise)
        now = PASSED if before.status == PASSED else status or before.status
        entries[exercise.name] = Progress(now, before.hints if hints is None else hints)
        write_progress(self.folder / PROGRESS, entries)


def nearest_workbook() -> Workbook:
    """The terminal's, for a notebook wherever it runs: beside it or above it, else at the root of the checkout."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "workbook" / PROGRESS).is_file():
            return Workbook(folder / "workbook")
    return Workbook((LIBRARY if here.is_relative_to(LIBRARY) else here) / "workbook")
