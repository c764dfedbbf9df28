"""`check` for a notebook: grades what a cell has defined, by its source and by the same path as a file.

    from lessons import check
    check("layer_norm", LayerNorm)
    check("split_heads", split_heads=split_heads)        one method of a class, written as a function

The definition stands in the module's place of the same name. What else it uses of the notebook (imports, helpers,
numbers) goes with it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.check import Grader
from lessons.exercises.grading.result import PASSED, Result
from lessons.exercises.grading.tree import PACKAGES
from lessons.exercises.source import parse, replace_definition, replace_function
from lessons.exercises.stub import live_source
from lessons.exercises.student.cells import cell_source, needed_by, top_level_names
from lessons.exercises.student.milestones import after_pass
from lessons.exercises.student.wording import WITHOUT_WALL, Card, without_wall_text
from lessons.exercises.student.workbook import Workbook, nearest_workbook
from lessons.language.words import say


@cache
def grader() -> Grader:
    """One for the whole notebook: after the first check its process is warm."""
    return Grader()


def check(name: str, *definitions: Any, **methods: Any) -> Card:
    """Grades functions or classes that the notebook has defined. Raises ValueError for what cannot be graded.

    How it ends is kept in the workbook, as in the terminal.
    """
    book = nearest_workbook()
    book.refuse_in_exam("checks")
    exercise = book.assignment.get(name)
    for definition in [*definitions, *methods.values()]:
        if (getattr(definition, "__module__", None) or "").partition(".")[0] in (*PACKAGES, "lessons"):
            raise ValueError(f"{definition.__qualname__} is the library's own: define yours in a cell")
    source = spliced(exercise, definitions, methods)
    result = grader().check(exercise, source)
    book.keep(exercise, result)
    built = after_pass(grader().server, exercise, source) if result.status == PASSED else ""
    if grader().without_wall and book.first_time(WITHOUT_WALL):
        print(without_wall_text(grader().without_wall))
    return Card(result, built, what_then(result, exercise, book))


def what_then(result: Result, exercise: Exercise, book: Workbook) -> str:
    """The call that leads on from here."""
    if result.status != PASSED:
        return f"{say('Stuck?')} hint({exercise.name!r})"
    following = book.next_open(near=exercise)
    return f"{say('Next:')} start({following.name!r})" if following else ""


def spliced(exercise: Exercise, definitions: tuple[Any, ...], methods: Mapping[str, Any] | None = None) -> str:
    """The module's source with the definitions in it. They are found by name among what the exercise asks for."""
    if methods:
        return with_methods(exercise, methods)
    wanted = asked_for(exercise)
    given = {getattr(definition, "__name__", repr(definition)): definition for definition in definitions}
    if missing := [each for each in wanted if each not in given]:
        raise ValueError(
            f"{exercise.name} is about {', '.join(missing)}: check({exercise.name!r}, {', '.join(wanted)})"
        )
    source = live_source(exercise)
    known = top_level_names(parse(source))
    for each in wanted:
        parts = needed_by(given[each], known | set(wanted), {})
        source = replace_definition(source, each, "\n".join([*parts, cell_source(given[each])]))
    return source


def with_methods(exercise: Exercise, methods: Mapping[str, Any]) -> str:
    """The module's source with functions in the places of methods (or functions) of these names."""
    places = {target.rpartition(".")[2]: target for target in exercise.targets}
    if set(methods) != set(places):
        given = ", ".join(f"{name}=..." for name in places)
        raise ValueError(f"{exercise.name} is about {', '.join(places)}: check({exercise.name!r}, {given})")
    source = live_source(exercise)
    known = top_level_names(parse(source))
    for name, function in methods.items():
        text = cell_source(function).replace(f"def {function.__name__}(", f"def {name}(", 1)
        parts = needed_by(function, known | {function.__name__}, {})
        source = replace_function(source, places[name], text, parts)
    return source


def asked_for(exercise: Exercise) -> list[str]:
    """The functions and classes that a cell must define."""
    return list(dict.fromkeys(target.partition(".")[0] for target in exercise.targets))
