"""The teacher's guide as one page: how a course is run, twelve weeks, and each exercise with its usual mistakes.

The mistakes are the catalogue's, and each with the message that it gets: the project's tests hold them together.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.course import LESSONS
from lessons.exercises.exercise import Exercise, Wrong
from lessons.exercises.teacher.syllabus import syllabus

HOW = Path(__file__).with_name("README.md")


def guide() -> str:
    """Markdown."""
    parts = [HOW.read_text(encoding="utf-8").rstrip(), *weeks(), "## The exercises"]
    for exercise in all_exercises().values():
        parts += about(exercise)
    return "\n\n".join(parts) + "\n"


def weeks() -> Iterator[str]:
    yield "## A syllabus of 12 weeks"
    yield "Minutes are those of the exercises alone, for who has read the lesson."
    rows = ["| week | about | lessons | exercises | minutes |", "|---|---|---|---|---|"]
    for week in syllabus():
        lessons = ", ".join(f"{number} {LESSONS[number]}" for number in week.lessons)
        names = ", ".join(f"`{exercise.name}`" for exercise in week.exercises)
        rows.append(f"| {week.number} | {week.title} | {lessons} | {names} | {week.minutes} |")
    yield "\n".join(rows)


def about(exercise: Exercise) -> Iterator[str]:
    """One exercise: what is written, the hints, what goes wrong and what is then said."""
    yield f"### {exercise.name}: {exercise.title}"
    facts = {
        "Lesson": f"{exercise.lesson}, {LESSONS[exercise.lesson]}",
        "To write": ", ".join(f"`{target}`" for target in exercise.targets) + f" in `{exercise.module}`",
        "Difficulty": f"{exercise.difficulty} of 5, about {exercise.minutes} minutes, {exercise.worth} points",
    }
    if exercise.after:
        facts["After"] = ", ".join(exercise.after)
    yield "\n".join(listed(facts))
    yield "Hints:\n\n" + "\n".join(f"{number}. {hint}" for number, hint in enumerate(exercise.hints, start=1))
    if exercise.wrong:
        yield "Usual mistakes, and what is said of each:"
        yield "\n".join(line for wrong in exercise.wrong for line in mistake(wrong))


def listed(facts: Mapping[str, str]) -> Iterator[str]:
    return (f"- {what}: {fact}" for what, fact in facts.items())


def mistake(wrong: Wrong) -> Iterator[str]:
    yield f"- {code(wrong.new) or 'left out'} in place of {code(wrong.old)}"
    yield f"  → “{' '.join(wrong.message.split())}”"


def code(text: str) -> str:
    """In one line, between more backticks than it holds."""
    line = " ".join(text.split())
    mark = "``" if "`" in line else "`"
    return f"{mark}{line}{mark}" if line else ""
