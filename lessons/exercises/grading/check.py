"""Grading one file for one exercise: is it attempted, do the tests pass, does it compute what the real code computes?"""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lessons.exercises.diagnosis.cause import is_open, with_cause
from lessons.exercises.exercise import Exercise
from lessons.exercises.filling import Filled
from lessons.exercises.grading import tree
from lessons.exercises.grading.ready_made import ReadyMadeError, refuse_ready_made
from lessons.exercises.grading.result import FAILED, NOT_ATTEMPTED, NOT_GRADED, PASSED, Result
from lessons.exercises.grading.sandbox.forkserver import Forkserver
from lessons.exercises.grading.verdict import verdict
from lessons.exercises.source import UnreadableSourceError, attempted
from lessons.exercises.stub import live_source, whole

RUNNER = "lessons.exercises.grading.jobs:run_job"
"""What every fork of the warm process does. It is named and not imported: here no student's file ever runs."""

RECOGNITION_SECONDS = 20.0

COMPILER = "torch._dynamo"
"""An optimizer's first step loads it, which takes two seconds."""
LONGEST_WAIT = 900.0
"""Seconds for a job that ends itself long before, also on a machine that is very busy."""


@dataclass(frozen=True)
class Strictness:
    """How long a file may take, how many random questions a judge asks, whether to stop at the first failure.

    `causes`             whether the cause of a failure is looked for, which takes longer than the verdict
    `only_behind_wall`   where there is no wall nothing is run, and the result is "could not be graded"
    """

    test_seconds: float = 20.0
    probe_seconds: float = 12.0
    questions: int = 2
    first_failure_only: bool = False
    only_behind_wall: bool = False
    causes: bool = True


class Grader:
    """Checks files one after another, or from several threads, with one warm process behind it.

    `many`           whether many files will come: then torch's compiler, which few of them need, is loaded once for all
    `without_wall`   why files ran in the open, once one has; else empty
    """

    def __init__(self, strictness: Strictness | None = None, many: bool = False):
        self.strictness = strictness or Strictness()
        self.server = Forkserver(RUNNER, [COMPILER] if many else [])
        self.without_wall = ""

    def check(self, exercise: Exercise, source: str, tests: bool = True) -> Result:
        """Never raises for what a file does; a Result says what went wrong, on either side.

        `tests`   False: taken as passed, as by a file that has fooled them; the judge alone decides
        """
        started = time.monotonic()
        folder = Path(tempfile.mkdtemp(prefix="exercise-")).resolve()
        try:
            result = self.attempt(exercise, source, folder, tests)
        except UnreadableSourceError as problem:
            result = Result(exercise.name, FAILED, str(problem))
        except ReadyMadeError as problem:
            result = Result(exercise.name, FAILED, str(problem), problem.where)
        except tree.NoTestsError as problem:
            result = Result(exercise.name, NOT_GRADED, str(problem))
        except (TimeoutError, ConnectionError) as problem:
            result = Result(exercise.name, NOT_GRADED, f"the check itself did not finish: {problem}")
        finally:
            tree.remove(folder)
        return replace(result, seconds=time.monotonic() - started)

    def attempt(self, exercise: Exercise, source: str, folder: Path, tests: bool) -> Result:
        if not attempted(source, exercise.targets):
            return Result(exercise.name, NOT_ATTEMPTED, f"{', '.join(exercise.targets)}: nothing is written yet")
        refuse_ready_made(exercise, source, live_source(exercise))
        file = whole(exercise, source)
        forged = Result(exercise.name, PASSED)
        tested = self.run_tests(exercise, file, folder / "tests") if tests else forged
        if tested.status == FAILED and self.seeks_cause(tested.message):
            return self.recognized(exercise, file, folder / "probe", tested)
        return tested if tested.status != PASSED else self.run_probe(exercise, file, folder / "probe", tested)

    def seeks_cause(self, message: str) -> bool:
        return self.strictness.causes and is_open(message)

    def recognized(self, exercise: Exercise, file: Filled, folder: Path, tested: Result) -> Result:
        """With the cause in the message, where a small change of the real code computes the same."""
        job = self.probe_job(exercise, file, folder) | {"count": 1}
        reply = self.server.run(job | {"kind": "probe"}, LONGEST_WAIT)
        if reply.get("ended") or "error" in reply:
            return tested
        return replace(tested, message=self.explained(exercise, job, reply["seeds"], tested.message))

    def explained(self, exercise: Exercise, job: dict[str, Any], seeds: list[int], message: str) -> str:
        """The message with the cause, where what was answered to the seeds is what a mistake gives.

        A search that does not end in its time leaves the message as it is.
        """
        asked = {"kind": "recognize", "exercise": exercise.name, "seeds": seeds, "told": message}
        try:
            said = self.server.run(job | asked | {"seconds": RECOGNITION_SECONDS}, LONGEST_WAIT).get("message", "")
        except (TimeoutError, ConnectionError):
            return message
        return with_cause(message, said) if said else message

    def run_tests(self, exercise: Exercise, file: Filled, folder: Path) -> Result:
        scratch = tree.build(folder, exercise.module, file.text, exercise.tests)
        bounds = self.strictness
        job: dict[str, Any] = {"kind": "tests", "scratch": str(scratch), "module": exercise.module}
        job |= {"pieces": file.pieces, "tests": list(exercise.tests), "targets": list(exercise.targets)}
        job |= {"seconds": bounds.test_seconds, "first_failure_only": bounds.first_failure_only}
        job |= {"only_behind_wall": bounds.only_behind_wall}
        reply = self.server.run(job, LONGEST_WAIT)
        if "error" in reply:
            return Result(exercise.name, NOT_GRADED, reply["error"])
        self.without_wall = reply["without"]
        return verdict(exercise, reply)

    def run_probe(self, exercise: Exercise, file: Filled, folder: Path, tested: Result) -> Result:
        """The tests ran in the file's own process and may have been fooled; what is computed here cannot be."""
        job = self.probe_job(exercise, file, folder)
        reply = self.server.run(job | {"kind": "probe"}, LONGEST_WAIT)
        message = reply.get("ended", "")
        if not message and "error" not in reply:
            seeds = reply["seeds"]
            reply = self.server.run(job | {"kind": "judge", "seeds": seeds}, LONGEST_WAIT)
            message = reply.get("message", "")
            if self.seeks_cause(message):
                message = self.explained(exercise, job, seeds, message)
        if "error" in reply:
            return replace(tested, status=NOT_GRADED, message=reply["error"])
        if message:
            return replace(tested, status=FAILED, message=f"on inputs drawn after the file was loaded: {message}")
        return tested

    def probe_job(self, exercise: Exercise, file: Filled, folder: Path) -> dict[str, Any]:
        scratch = tree.build(folder, exercise.module, file.text, tests=())
        bounds = self.strictness
        job: dict[str, Any] = {"scratch": str(scratch), "module": exercise.module, "pieces": file.pieces}
        job |= {"targets": list(exercise.targets), "probe": exercise.probe, "answer": str(folder / "answer")}
        job |= {"seconds": bounds.probe_seconds, "count": bounds.questions}
        return job | {"only_behind_wall": bounds.only_behind_wall}
