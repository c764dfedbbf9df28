"""The catalogue as a whole: enough exercises, in an order that can be followed, on names that exist."""

import importlib
import pkgutil

import pytest

from lessons.compare.kept import kept_report
from lessons.compare.report import by_method
from lessons.exercises import catalogue
from lessons.exercises.catalogue import FILES, all_exercises, get
from lessons.exercises.course import LESSONS
from lessons.exercises.source import LIBRARY
from peft import RECIPES

EXERCISES = all_exercises()
TECHNIQUE_OF = {
    "adapter_houlsby": "adapter_houlsby",
    "lora_fp4": "nearest_level",
    "lora_int4": "affine_int4",
    "pill": "pill_routing",
}
"""Which exercise is about a technique, where it has another name."""


def test_there_are_at_least_45_over_the_lessons():
    assert len(EXERCISES) >= 45
    assert set(LESSONS) == {exercise.lesson for exercise in EXERCISES.values()}


def test_every_file_of_the_catalogue_is_read_and_holds_one_lesson_in_the_courses_order():
    assert {module.name for module in pkgutil.iter_modules(catalogue.__path__)} == set(FILES)
    files = [importlib.import_module(f"{catalogue.__name__}.{file}") for file in FILES]
    lessons = [{exercise.lesson for exercise in file.EXERCISES} for file in files]
    assert all(len(numbers) == 1 for numbers in lessons)
    assert lessons == sorted(lessons, key=min)


@pytest.mark.parametrize("technique", [name for name in RECIPES if name in by_method(kept_report())])
def test_every_technique_has_one(technique):
    """From the day on which it has rows in the kept run; before, it is being written."""
    assert TECHNIQUE_OF.get(technique, technique) in EXERCISES


@pytest.mark.parametrize("name", EXERCISES)
def test_what_must_be_solved_before_comes_before(name):
    order = list(EXERCISES)

    for before in EXERCISES[name].after:
        assert before in EXERCISES
        assert EXERCISES[before].lesson <= EXERCISES[name].lesson or before == "padding_mask"
        assert name not in reached(before), f"{name} and {before} wait for each other"
    assert len(order) == len(set(order))


def reached(name):
    found, waiting = set(), list(EXERCISES[name].after)
    while waiting:
        current = waiting.pop()
        found.add(current)
        waiting += EXERCISES[current].after
    return found


@pytest.mark.parametrize("name", EXERCISES)
def test_an_entry_is_complete(name):
    exercise = EXERCISES[name]

    assert len(exercise.hints) >= 2
    assert len(exercise.wrong) >= 4
    assert len({(wrong.old, wrong.new) for wrong in exercise.wrong}) == len(exercise.wrong)
    assert all(wrong.message for wrong in exercise.wrong)
    for test in exercise.tests:
        assert (LIBRARY / test).is_file()
    probe = importlib.import_module(f"lessons.exercises.probes.{exercise.topic}")
    assert callable(getattr(probe, exercise.name))


def test_an_unknown_name_is_answered_with_what_is_near():
    with pytest.raises(ValueError, match="did you mean lora, lora_start, rslora"):
        get("lor")
    with pytest.raises(ValueError, match="python -m lessons list"):
        get("something")
