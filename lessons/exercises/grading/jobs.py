"""What a fork of the warm process does: run a student's file against tests or probes, or judge what came of it.

tests   untrusted: pytest with the student's file in the library's place
probe   untrusted: computes named tensors from a seed that is drawn after the file is loaded
judge   trusted: computes the same with the real code, and compares
"""

import secrets
from functools import partial
from pathlib import Path

from lessons.exercises.grading import beside_student, tree
from lessons.exercises.grading.judge import judge
from lessons.exercises.grading.sandbox import limits, processes
from lessons.exercises.grading.sandbox.limits import Limits
from lessons.exercises.grading.sandbox.view import view_without
from lessons.exercises.grading.sandbox.warden import guarded
from lessons.exercises.grading.sandbox.warm_process import Job
from lessons.exercises.source import LIBRARY

VIEW = view_without(tree.solutions(), None if tree.installed() else LIBRARY)


def run_job(job: Job) -> Job:
    if job["kind"] == "judge":
        processes.end_with_parent()
        limits.apply(Limits(seconds=job["seconds"]))  # it reads what a student's file has written
        return judge(job["probe"], job["seeds"], Path(job["answer"]).read_bytes())
    scratch, pieces = Path(job["scratch"]), job["pieces"]
    seeds = [secrets.randbits(48) for _ in range(job.get("count", 0))]
    if job["kind"] == "tests":
        work = partial(
            beside_student.run_tests, scratch, job["module"], pieces, job["tests"], job["first_failure_only"]
        )
    else:
        work = partial(beside_student.run_probe, scratch, job["module"], pieces, job["probe"])
    outcome = guarded(work, scratch, VIEW, Limits(seconds=job["seconds"]), lambda: f"{seeds}\n".encode())
    reply: Job = {"ended": outcome.ended, "printed": outcome.printed.decode(errors="replace"), "seeds": seeds}
    if job["kind"] == "tests":
        return reply | {"answer": outcome.answer[: 1 << 20].decode(errors="replace")}
    Path(job["answer"]).write_bytes(outcome.answer)
    return reply
