"""What share of the unseen wrong solutions a card names.

named     the card says what is wrong
open      it says that something is, where, and no cause
false     it says a cause, and another one
passed    no test has noticed: a hole in the grader
"""

import re
from collections.abc import Iterable, Iterator

from lessons.exercises.grading.result import FAILED, PASSED, Result
from lessons.exercises.student.wording import failed_first
from tests.exercises.unseen.in_process import check_in_process
from tests.exercises.unseen.wrong import Unseen

NAMED, OPEN, FALSE, HOLE = "named", "open", "false", "passed"

NO_CAUSE = re.compile(
    r"in no way that is known|a multiple of the right one|moved by a number of its own|deviation is|gives α|^(kind|shape|dtype|finite|gradient|mutated|refused): |Error: |wrong only|right only|"
    r"right up to|the numbers are|DID NOT RAISE|so many|of \d+ values|every value is [^=]*$|came \(|: \[|^value: in "
)
"""What claims no cause: it says where a result differs, or what Python said."""


def judged(unseen: Unseen, result: Result) -> str:
    if result.status == PASSED:
        return HOLE
    first = result.message.partition("\nlargest difference")[0]
    if result.status == FAILED and re.search(unseen.names, f"{failed_first(result)}\n{result.message}", re.IGNORECASE):
        return NAMED
    return OPEN if NO_CAUSE.search(first) else FALSE


def measured(every: Iterable[Unseen]) -> Iterator[tuple[Unseen, Result, str]]:
    """Each wrong solution with its card and what that is worth, as they are done."""
    for unseen in every:
        result = check_in_process(unseen.exercise, unseen.source())
        yield unseen, result, judged(unseen, result)
