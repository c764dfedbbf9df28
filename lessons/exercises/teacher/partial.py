"""Partial credit: the functions of an exercise that the judge confirms, each alone.

For each function the others get the library's body, and the judge compares with the real code on inputs drawn after the
file was loaded. What the tests said in the file's own process earns nothing: it may have been written there.
"""

from collections.abc import Sequence

from lessons.exercises.exercise import Exercise
from lessons.exercises.filling import filled
from lessons.exercises.grading.check import Grader
from lessons.exercises.grading.result import FAILED, PASSED
from lessons.exercises.source import UnreadableSourceError, attempted, without_bodies
from lessons.exercises.stub import live_source


class Judge:
    """Asks about one function at a time, and remembers which ones it can be asked about."""

    def __init__(self, grader: Grader):
        self.grader = grader
        self.noticed: dict[tuple[str, str], bool] = {}

    def confirmed(self, exercise: Exercise, source: str) -> list[str]:
        """The functions that are right; none for an exercise of one function, which is right or not as a whole."""
        if len(exercise.targets) < 2:
            return []
        try:
            return [target for target in exercise.targets if self.right(exercise, source, target)]
        except UnreadableSourceError:
            return []

    def right(self, exercise: Exercise, source: str, target: str) -> bool:
        if not attempted(source, [target]) or not self.would_notice(exercise, target):
            return False
        return self.grader.check(exercise, alone(exercise, source, target), tests=False).status == PASSED

    def would_notice(self, exercise: Exercise, target: str) -> bool:
        """Whether the judge sees a difference when only this function is missing: else it cannot confirm it."""
        key = (exercise.name, target)
        if key not in self.noticed:
            without = without_bodies(live_source(exercise), [target])
            self.noticed[key] = self.grader.check(exercise, without, tests=False).status == FAILED
        return self.noticed[key]


def alone(exercise: Exercise, source: str, target: str) -> str:
    """The student's file with the library's bodies for every other function of the exercise."""
    others: Sequence[str] = [each for each in exercise.targets if each != target]
    return filled(without_bodies(source, others), live_source(exercise), others).text
