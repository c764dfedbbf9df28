"""Where a function leads: its lesson, its exercise, its test.

lesson      that of its exercise; else the first that shows its source; else that of its file, by exercise or glossary
exercise    the one that asks for it
test        its exercise's grader; else the file of tests/PACKAGE/ that imports or calls it most often, the file's own test
            before the others; for a helper that no test names, its file's own test, or the one that names most of the file
"""

import re
from functools import cache
from pathlib import Path

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.exercise import Exercise
from lessons.site.links import ROOT, address
from lessons.teaching.notebooks import LESSONS, sources
from lessons.teaching.said import Say
from lessons.translate.fixed import SITE

NAMED = r"(?<![\w.]){name}\(|^from .* import .*\b{name}\b|^    {name},$"
"""In a test: a call, or an import on one line or in a list. Names such as `rows` are words too."""


def ways(name: str, file: str, names: tuple[str, ...], say: Say) -> str:
    """A list of links for a definition of a file; `names` are all definitions of that file."""
    asked = exercises_of(name, file)
    test = nearest_test(name, file, names)
    links = [told_exercise(exercise, say) for exercise in asked] or [told_lesson(lesson_of(name, file), say)]
    links.append(say(SITE["tested"]).format(link=f'<a href="{address()}/blob/main/{test}">{test}</a>'))
    return f'<ul class="ways">{"".join(f"<li>{link}</li>" for link in links)}</ul>'


def told_lesson(number: int, say: Say) -> str:
    return f'<a href="../lessons/{lesson_page(number)}.html">{say(SITE["lesson"]).format(number=number)}</a>'


def told_exercise(exercise: Exercise, say: Say) -> str:
    command = f"<code>python -m lessons start {exercise.name}</code>"
    return say(SITE["exercise"]).format(lesson=told_lesson(exercise.lesson, say), command=command)


def exercises_of(name: str, file: str) -> list[Exercise]:
    module = file.removesuffix(".py").replace("/", ".")
    return [each for each in all_exercises().values() if each.module == module and name in each.targets]


def lesson_of(name: str, file: str) -> int:
    """Raises ValueError for a file that no lesson speaks of."""
    if found := [number for number, shown in shown_in_lessons() if {name, name.split(".")[0]} & shown]:
        return found[0]
    module = file.removesuffix(".py").replace("/", ".")
    if found := [each.lesson for each in all_exercises().values() if each.module == module]:
        return min(found)
    row = next((row for row in (LESSONS / "glossary.md").read_text(encoding="utf-8").splitlines() if file in row), "")
    if number := re.search(r"\[(\d+)\]\(notebooks/", row):
        return int(number[1])
    raise ValueError(f"no lesson shows {name} of {file}, no exercise asks for it, and the glossary does not lead to it")


@cache
def shown_in_lessons() -> list[tuple[int, set[str]]]:
    """Each lesson, and what it shows the source of."""
    shown = re.compile(r"^show_source\(([^)]*)\)", re.MULTILINE)
    return [
        (int(source.stem[:2]), set(re.findall(r"[\w.]+", " ".join(shown.findall(source.read_text(encoding="utf-8"))))))
        for source in sources()
    ]


def lesson_page(number: int) -> str:
    return next(source.stem for source in sources() if int(source.stem[:2]) == number)


def nearest_test(name: str, file: str, names: tuple[str, ...]) -> str:
    """The test's path from the root of the repository. Raises ValueError where no test names anything of the file."""
    if asked := exercises_of(name, file):
        return asked[0].tests[0]
    here = tests_of(file.split("/")[0])
    own = [test for test in here if Path(test).name == f"test_{Path(file).stem}.py"]
    counts = {test: mentions(test, (name.split(".")[0],)) for test in here}
    if any(counts.values()):
        return max(here, key=lambda test: (counts[test] > 0 and test in own, counts[test]))
    if own:
        return own[0]
    counts = {test: mentions(test, names) for test in here}
    if not any(counts.values()):
        raise ValueError(f"no test names anything of {file}")
    return max(here, key=lambda test: counts[test])


@cache
def tests_of(package: str) -> tuple[str, ...]:
    folder = ROOT / "tests" / package
    return tuple(test.relative_to(ROOT).as_posix() for test in sorted(folder.rglob("test_*.py")))


@cache
def mentions(test: str, names: tuple[str, ...]) -> int:
    """How often a test's file imports or calls one of them."""
    text = (ROOT / test).read_text(encoding="utf-8")
    return sum(len(re.findall(NAMED.format(name=re.escape(name)), text, re.MULTILINE)) for name in names)
