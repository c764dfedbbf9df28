"""The teacher's guide: how a course is run, the weeks, and what stands around the exercises' own words."""

from collections.abc import Iterator

from lessons.exercises.teacher.guide import HOW
from lessons.exercises.teacher.syllabus import WEEKS
from lessons.language.blocks import entries, kind_of
from lessons.translate.messages import texts_in
from lessons.translate.po import Text

FRAGMENTS = (
    "finite: the loss is",
    "shape: one token for each row",
    "missing or too many",
    "every value is 2",
    "what must hold",
    "what must hold: a mask of any shape",
    "is no bias",
    "matrices are missing",
    "was written into",
    "all is trainable",
    "of the base",
    "the opposite sign",
)
"""Where the catalogue has only a part of a message, and no string of the grader's holds the whole."""


def guide_texts() -> Iterator[Text]:
    place = "lessons/exercises/teacher/README.md"
    for entry in entries(HOW.read_text(encoding="utf-8"), rows=True):
        yield Text(entry, kind_of(entry), (place, 0))
    for title, _ in WEEKS:
        yield Text(title, "what a week is about", ("lessons/exercises/teacher/syllabus.py", 0))
    yield from texts_in(("lessons/exercises/teacher/guide.py",))
    for text in FRAGMENTS:
        yield Text(text, "a part of a message, as the catalogue has it", ("lessons/exercises/catalogue", 0))
