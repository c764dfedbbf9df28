"""What the process in which the tests ran has said, as a result."""

import json
from typing import Any

from lessons.exercises.diagnosis.first import first_to_explain
from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.result import FAILED, PASSED, Result


def verdict(exercise: Exercise, reply: dict[str, Any]) -> Result:
    """What the tests' process said, read with care: a student's file may have written it."""
    printed = str(reply["printed"])
    if reply["ended"]:
        return Result(exercise.name, FAILED, reply["ended"], printed=printed)
    try:
        answer = json.loads(reply["answer"])
        if problem := answer.get("import_error"):
            message = f"the file cannot be imported: {problem['message']}"
            return Result(exercise.name, FAILED, message, str(problem["where"]), printed)
        tests = [{key: str(test[key]) for key in ("name", "outcome", "message", "where")} for test in answer["tests"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        message = "the process ended before the tests did: a file must not end the process (sys.exit, os._exit)"
        return Result(exercise.name, FAILED, message, printed=printed)
    if not tests:
        return Result(exercise.name, FAILED, "no test came to its end: a file must not stop the tests", printed=printed)
    failures = [test for test in tests if test["outcome"] != PASSED]
    if not failures:
        return Result(exercise.name, PASSED, printed=printed, tests=tests)
    first = first_to_explain(tests, PASSED)
    return Result(exercise.name, FAILED, first["message"], first["where"], printed, tests=tests)
