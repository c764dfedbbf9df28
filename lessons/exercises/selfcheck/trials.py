"""What every exercise must stand: its stub, its solution, its wrong solutions, and automatic mutants of the solution."""

import importlib
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from lessons.exercises.exercise import Exercise, Wrong
from lessons.exercises.filling import filled
from lessons.exercises.grading.check import Grader, Strictness
from lessons.exercises.grading.result import FAILED, NOT_ATTEMPTED, PASSED, Result
from lessons.exercises.selfcheck.handed_out import flaw, written
from lessons.exercises.selfcheck.mutants import mutants
from lessons.exercises.source import definition_text
from lessons.exercises.stub import live_source, stub_of
from lessons.exercises.student.notebook import asked_for, spliced
from lessons.exercises.student.wording import result_text
from lessons.language.message import untranslated
from lessons.task.cores import cores

WRONG = "wrong solution"


@dataclass(frozen=True)
class Trial:
    """One file that is given to the grader, and what must come of it.

    `tests`    False: their verdict is taken as "passed", as by a file that has fooled them; the judge alone decides
    `causes`   whether the words of the result matter: the cause of a failure is looked for
    """

    exercise: Exercise
    label: str
    source: str
    status: str
    message: str = ""
    tests: bool = True
    causes: bool = True

    def given_to(self, grader: Grader) -> Result:
        return grader.check(self.exercise, self.source, self.tests)

    def problem(self, result: Result) -> str:
        """What is not as it must be; empty when all is well."""
        if result.status != self.status:
            return f"{self.exercise.name}, {self.label}: {result.status}, not {self.status}\n{result_text(result)}"
        if self.message not in result_text(result):
            return f"{self.exercise.name}, {self.label}: the message lacks {self.message!r}\n{result_text(result)}"
        if self.label.startswith(WRONG) and (left := untranslated(result.message)):
            return f"{self.exercise.name}, {self.label}: has no Chinese in lessons/zh/graders.po: {left}"
        return ""


def trials(exercise: Exercise, with_mutants: bool = True) -> Iterator[Trial]:
    """Everything that an exercise must stand."""
    live, stub = live_source(exercise), stub_of(exercise)
    yield Trial(exercise, "stub", stub, NOT_ATTEMPTED)
    yield Trial(exercise, "the stub with its solution", filled(stub, live, exercise.targets).text, PASSED)
    yield Trial(exercise, "a notebook with the solution", from_notebook(exercise), PASSED)
    for wrong in exercise.wrong:
        label = f"{WRONG} {' '.join(wrong.old.split())} → {' '.join(wrong.new.split())}"
        source = edited(exercise, live, wrong)
        yield Trial(exercise, label, source, FAILED, wrong.message)
        yield Trial(exercise, f"{label}, by the judge alone", source, FAILED, tests=False, causes=False)
    if with_mutants:
        for mutant in mutants(live, exercise.targets):
            if mutant.label not in exercise.harmless:
                label = f"mutant {mutant.label}"
                yield Trial(exercise, label, mutant.source, FAILED, causes=False)
                yield Trial(exercise, f"{label}, by the judge alone", mutant.source, FAILED, tests=False, causes=False)


def from_notebook(exercise: Exercise) -> str:
    """What is graded when a cell holds the live definitions."""
    module = importlib.import_module(exercise.module)
    return spliced(exercise, tuple(getattr(module, name) for name in asked_for(exercise)))


def edited(exercise: Exercise, live: str, wrong: Wrong) -> str:
    """The live source with the edit. Raises ValueError when the live source has moved on and the edit no longer fits."""
    parts = [definition_text(live, target) for target in exercise.targets]
    count = sum(part.count(wrong.old) for part in parts)
    if count != 1:
        raise ValueError(
            f"{exercise.name}: {wrong.old!r} stands {count} times in {', '.join(exercise.targets)}, not once"
        )
    part = next(part for part in parts if wrong.old in part)
    return live.replace(part, part.replace(wrong.old, wrong.new))


def problems(exercises: list[Exercise], with_mutants: bool = True, workers: int = 0) -> Iterator[tuple[Trial, str]]:
    """Every trial with its problem, as they are done."""
    strictness = Strictness(first_failure_only=True)
    graders = {causes: Grader(replace(strictness, causes=causes), many=True) for causes in (True, False)}
    for grader in graders.values():
        grader.server.start()
    todo: list[Trial] = []
    with tempfile.TemporaryDirectory() as folder:
        for exercise, path in written(exercises, Path(folder)):
            yield Trial(exercise, f"{path.parent.relative_to(folder)}/", "", PASSED), flaw(exercise, path)
    for exercise in exercises:
        try:
            todo += trials(exercise, with_mutants)
        except ValueError as misfit:
            yield Trial(exercise, "its entry", "", PASSED), str(misfit)
    with ThreadPoolExecutor(workers or cores()) as pool:
        done = pool.map(lambda trial: trial.problem(trial.given_to(graders[trial.causes])), todo)
        yield from zip(todo, done, strict=True)
    for grader in graders.values():
        grader.server.close()
