"""What a class has understood: how many passed each exercise, and which property the others' work broke most often.

A file that fails may have written what its tests say; only properties that the exercise's tests really have are counted.
"""

import ast
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lessons.exercises.exercise import Exercise
from lessons.exercises.grading import tree
from lessons.exercises.grading.result import FAILED, NOT_ATTEMPTED, NOT_GRADED, PASSED
from lessons.exercises.student.wording import test_in_words
from lessons.exercises.teacher.grade import Grade
from lessons.exercises.teacher.tables import number, write_table

HEADING = ["exercise", "students", PASSED, FAILED, NOT_ATTEMPTED, NOT_GRADED, "pass rate"]


def write_statistics(path: Path, students: Sequence[Sequence[Grade]]) -> None:
    rows = [[*HEADING, "mean points", "of", "property that failed most", "for"]]
    rows += [row_of(list(grades)) for grades in zip(*students, strict=True)]
    write_table(path, rows)


def row_of(grades: Sequence[Grade]) -> list[str]:
    """One exercise over all students. The rate is of those who tried and could be graded."""
    exercise = grades[0].exercise
    count = Counter(grade.result.status for grade in grades)
    tried = count[PASSED] + count[FAILED]
    points = [grade.points for grade in grades if grade.points is not None]
    name, times = most_failed(exercise, grades)
    statuses = [str(count[status]) for status in (PASSED, FAILED, NOT_ATTEMPTED, NOT_GRADED)]
    rate = f"{count[PASSED] / tried:.0%}" if tried else ""
    mean = number(sum(points) / len(points)) if points else ""
    return [exercise.name, str(len(grades)), *statuses, rate, mean, number(exercise.worth), name, times]


def most_failed(exercise: Exercise, grades: Sequence[Grade]) -> tuple[str, str]:
    """The property in words, and for how many students it failed. Of two that are even, the one that is tested first."""
    real = properties(exercise)
    count: Counter[str] = Counter()
    for grade in grades:
        failed = {name_of(test["name"]) for test in grade.result.tests if test["outcome"] != PASSED}
        count.update(failed & set(real))
    if not count:
        return "", ""
    name = max(real, key=lambda each: count[each])
    return test_in_words(name), str(count[name])


def name_of(test: str) -> str:
    """tests/a/test_b.py::test_c[4] → test_c"""
    return test.rpartition("::")[2].partition("[")[0]


def properties(exercise: Exercise) -> list[str]:
    """The names of the exercise's tests, in their order."""
    trees = [ast.parse((tree.tests_folder().parent / test).read_text(encoding="utf-8")) for test in exercise.tests]
    nodes = [node for each in trees for node in each.body if isinstance(node, ast.FunctionDef)]
    return [node.name for node in nodes if node.name.startswith("test_")]
