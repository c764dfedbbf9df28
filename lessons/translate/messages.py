"""What the cards, the graders and the clinic say, found in their sources."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from lessons.clinic.cases import CASES
from lessons.clinic.folder import CHECKS as FOLDER
from lessons.exercises.catalogue import all_exercises
from lessons.exercises.grading.result import EXIT_CODES
from lessons.exercises.source import LIBRARY
from lessons.install.doctor import CHECKS as DOCTOR
from lessons.translate.judged import cause_texts, probe_texts
from lessons.translate.po import Text
from lessons.translate.strings import is_text, spoken_in

EXERCISES = "lessons/exercises"
SPEAKING = (
    "lessons/__main__.py",
    "lessons/language/choice.py",
    "lessons/install/packages.py",
    f"{EXERCISES}/student/*.py",
    f"{EXERCISES}/source.py",
    f"{EXERCISES}/assignment.py",
    f"{EXERCISES}/tracks.py",
    f"{EXERCISES}/stub.py",
    f"{EXERCISES}/catalogue/__init__.py",
    f"{EXERCISES}/diagnosis/*.py",
    f"{EXERCISES}/recognition/*.py",
    f"{EXERCISES}/grading/*.py",
    f"{EXERCISES}/grading/sandbox/*.py",
    f"{EXERCISES}/milestones/*.py",
)
"""Files that speak to a student, as they meet them."""

COMMON = (
    *EXIT_CODES,
    "{name} = a tensor of shape {shape}, {dtype}",
    "NaN at {place}",
    "infinite at {place}",
    "came      {numbers}",
    "expected  {numbers}",
    "twice",
    "half",
    "early",
    "late",
)
"""Lines that are made of pieces."""


GRADERS = ("tests/exercises/graders/*.py",)


CLINIC = (
    "lessons/clinic/*.py",
    "lessons/clinic/checks/*.py",
    "lessons/clinic/patients/*.py",
    "lessons/clinic/repairs/*.py",
    "lessons/install/doctor.py",
    "lessons/install/own_peft.py",
)
CLINIC_WORDS = ("sick", "repaired", *(f"{name}:" for name in (*DOCTOR, *FOLDER)))
"""What stands before a line."""


def grader_texts() -> Iterator[Text]:
    """What the graders and the judge say of a wrong solution, and what must hold."""
    yield from texts_in(GRADERS)
    yield from cause_texts()
    yield from probe_texts()


def message_texts() -> Iterator[Text]:
    for text in COMMON:
        yield Text(text, "a line of a card", ("lessons/translate/messages.py", 0))
    yield from texts_in(SPEAKING)


def clinic_texts() -> Iterator[Text]:
    """What is measured, what caused it and what to do; a symptom is a word of lesson 31's table already."""
    for case in CASES.values():
        for kind, text in (("cause", case.cause), ("repair", case.repair)):
            yield Text(text, f"{kind} of {case.name}", ("lessons/clinic/cases", 0))
    for word in CLINIC_WORDS:
        yield Text(word, "what stands before a line", ("lessons/translate/messages.py", 0))
    yield from texts_in(CLINIC)


def texts_in(patterns: Sequence[str]) -> Iterator[Text]:
    for pattern in patterns:
        for path in sorted(LIBRARY.glob(pattern)):
            place = str(path.relative_to(LIBRARY))
            for number, template, is_told in spoken_in(path):
                for line in template.split("\n"):
                    if is_told or (is_text(line.strip()) and not {*line.split()} <= {*all_exercises()}):
                        yield Text(line.strip(), "what a command or a card says", (place, number))
            if path.name.startswith("test_"):
                yield from property_texts(path, place)


def property_texts(path: Path, place: str) -> Iterator[Text]:
    """The names of the graders' tests, which a card shows as what must hold."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            words = node.name.removeprefix("test_").replace("_", " ")
            yield Text(words, "the name of a test: what must hold", (place, node.lineno))
