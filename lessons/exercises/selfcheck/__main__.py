"""The exercises, exercised: `python -m lessons.exercises.selfcheck [NAME...]`.

the stub               → not attempted
the live solution      → passed
each wrong solution    → failed, with the message that it must get; and failed by the judge alone, the tests taken as passed
each automatic mutant  → failed; and failed by the judge alone
"""

import argparse
import sys
import time

from lessons.exercises.catalogue import chosen
from lessons.exercises.selfcheck.trials import problems


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        "python -m lessons.exercises.selfcheck", description="Check the exercises themselves."
    )
    parser.add_argument("names", nargs="*", help="exercises (all)")
    parser.add_argument("--no-mutants", action="store_true", help="leave the automatic wrong solutions out")
    parser.add_argument("--verbose", action="store_true", help="every trial")
    options = parser.parse_args(arguments)
    exercises = chosen(options.names)
    started, count, bad = time.monotonic(), 0, 0
    for trial, problem in problems(exercises, not options.no_mutants):
        count += 1
        bad += bool(problem)
        if problem or options.verbose:
            print(problem or f"ok: {trial.exercise.name}, {trial.label}", flush=True)
    print(f"{len(exercises)} exercises, {count} trials, {bad} problems, {time.monotonic() - started:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
