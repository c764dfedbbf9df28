"""How long grading takes: one check from the command line, one from a warm process, a class of a hundred.

    python -m tests.benchmarks.bench_exercises [--submissions N]

The self-check of all exercises prints its own time: python -m lessons.exercises.selfcheck
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from lessons.exercises.catalogue import get
from lessons.exercises.grading.check import Grader
from lessons.exercises.grading.result import PASSED
from lessons.exercises.stub import live_source
from lessons.exercises.teacher.grade import grades_of
from tests.benchmarks.timing import machine

NAMES = ("layer_norm", "scaled_dot_product_attention", "lora", "pack_nibbles", "gae")


def cold(name: str, file: Path) -> float:
    """`python -m lessons check NAME --file FILE`, from start to exit."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "lessons", "check", name, "--file", str(file)], capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{name}: the live source did not pass: {done.stdout.decode()[-500:]}")
    return time.perf_counter() - start


def warm(grader: Grader, name: str) -> float:
    """What `watch` does when a file is saved."""
    start = time.perf_counter()
    result = grader.check(get(name), live_source(get(name)))
    if result.status != PASSED:
        raise RuntimeError(f"{name}: the live source did not pass: {result.message}")
    return time.perf_counter() - start


def a_class(submissions: int, folder: Path, name: str = "layer_norm") -> float:
    """A folder of submissions of one exercise: every other one is wrong."""
    right = live_source(get(name))
    wrong = right.replace("centered.square().mean", "centered.abs().mean")
    students = {}
    for number in range(submissions):
        students[f"student-{number}"] = folder / f"student-{number}.py"
        students[f"student-{number}"].write_text(wrong if number % 2 else right, encoding="utf-8")
    start = time.perf_counter()
    passed = sum(grade.result.status == PASSED for (grade,) in grades_of(students, [get(name)]))
    if passed != (submissions + 1) // 2:
        raise RuntimeError(f"{passed} of {submissions} submissions passed; every other one is right")
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=100)
    options = parser.parse_args()
    console = Console(width=120)
    console.print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        took = []
        for exercise in NAMES:
            file = folder / f"{exercise}.py"
            file.write_text(live_source(get(exercise)), encoding="utf-8")
            took.append(cold(exercise, file))
        console.print(f"check, from the command line: {statistics.median(took):.1f} s (at most 5 are wanted)")
        grader = Grader()
        grader.server.start()
        took = [warm(grader, exercise) for _ in range(3) for exercise in NAMES]
        grader.server.close()
        console.print(f"check, as watch does it: {statistics.median(took):.1f} s (at most 2 are wanted)")
        seconds = a_class(options.submissions, folder)
        console.print(
            f"grading {options.submissions} submissions of one exercise: {seconds:.0f} s (180 for 100 are wanted)"
        )


if __name__ == "__main__":
    main()
