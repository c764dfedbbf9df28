"""What a fork of the warm process does: run a student's file against tests or probes, or judge what came of it.

tests   untrusted: pytest with the student's file in the library's place
probe   untrusted: computes named tensors from a seed that is drawn after the file is loaded
many    untrusted: runs a milestone with a student's files in the library's place
judge   trusted: computes the same with the real code, and compares
recognize   trusted: changes the real code until it computes what the student's computes
"""

import secrets
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from lessons.exercises.grading import beside_many, beside_student, tree, wire
from lessons.exercises.grading.judge import judge, recognize
from lessons.exercises.grading.sandbox import limits
from lessons.exercises.grading.sandbox.limits import Limits
from lessons.exercises.grading.sandbox.trial import tried
from lessons.exercises.grading.sandbox.wall import NoWallError
from lessons.exercises.grading.sandbox.warden import Outcome, Work, guarded
from lessons.exercises.grading.sandbox.warm_process import Job

LONGEST_REPORT = 1 << 20


@cache
def without_wall() -> str:
    """Why there is no wall on this machine; empty where there is one."""
    return tried()


def prepare(job: Job) -> None:
    """In the warm process, before it forks: it asks once, and its forks know the answer."""
    if job["kind"] != "judge":
        without_wall()


def run_job(job: Job) -> Job:
    bounds = Limits(**{name: job[name] for name in ("seconds", "memory") if name in job})
    if job["kind"] == "judge":
        limits.apply(bounds, limits.address_space())  # it reads what a student's file has written
        return judge(job["probe"], job["seeds"], Path(job["answer"]).read_bytes(), job["module"], job["targets"])
    if job["kind"] == "recognize":
        limits.apply(bounds, limits.address_space())
        return recognize(job["exercise"], job["seeds"], Path(job["answer"]).read_bytes(), job["told"])
    seeds: list[int] = []

    def draw() -> bytes:
        """Not before the file is loaded: it has a copy of what was in this process when it began.

        They follow each other: what takes turns by the seed is seen in every form.
        """
        first = secrets.randbits(48)
        seeds[:] = range(first, first + job.get("count", 0))
        return f"{seeds}\n".encode()

    if job["kind"] == "many":
        work = partial(beside_many.run_many, **{name: job[name] for name in ("targets", "function", "given")})
        return told(*apart(work, job, bounds, draw))
    file = {"module": job["module"], "pieces": job["pieces"], "targets": job["targets"]}
    if job["kind"] == "tests":
        file |= {"tests": job["tests"], "first_failure_only": job["first_failure_only"]}
        return told(*apart(partial(beside_student.run_tests, **file), job, bounds, draw))
    outcome, without = apart(partial(beside_student.run_probe, **file, probe=job["probe"]), job, bounds, draw)
    Path(job["answer"]).write_bytes(outcome.answer)
    return told(outcome, without) | {"answer": "", "seeds": seeds}


def told(outcome: Outcome, without: str) -> Job:
    """What came of it, for the side that asked."""
    report = outcome.answer.removeprefix(wire.READY)[:LONGEST_REPORT].decode(errors="replace")
    printed = outcome.printed.decode(errors="replace")
    return {"ended": outcome.ended, "printed": printed, "answer": report, "without": without}


def apart(work: Work, job: Job, bounds: Limits, ask: Callable[[], bytes]) -> tuple[Outcome, str]:
    """Behind the wall; or, where there is none and the job allows it, without, and then with the reason."""
    without = without_wall()
    if without and job["only_behind_wall"]:
        raise NoWallError(without)
    hidden = None if without else tree.solutions()
    return guarded(work, Path(job["scratch"]), hidden, bounds, ask), without
