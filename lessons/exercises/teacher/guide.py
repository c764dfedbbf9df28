"""The teacher's guide as one page: how a course is run, twelve weeks, and each exercise with its usual mistakes.

The mistakes are the catalogue's, and each with the message that it gets: the project's tests hold them together.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.course import LESSONS
from lessons.exercises.exercise import Exercise, Wrong
from lessons.exercises.recognition.sentences import whole_sentence
from lessons.exercises.teacher.syllabus import syllabus
from lessons.language.blocks import translated
from lessons.language.message import in_language
from lessons.language.words import say, tell

HOW = Path(__file__).with_name("README.md")


def guide() -> str:
    """Markdown, in the language that is spoken."""
    how = translated(HOW.read_text(encoding="utf-8"), say, rows=True)
    parts = [how, *weeks(), f"## {say('The exercises')}"]
    for exercise in all_exercises().values():
        parts += about(exercise)
    return "\n\n".join(parts) + "\n"


def weeks() -> Iterator[str]:
    yield f"## {say('A syllabus of 12 weeks')}"
    yield say("Minutes are those of the exercises alone, for who has read the lesson.")
    rows = [say("| week | about | lessons | exercises | minutes |"), "|---|---|---|---|---|"]
    for week in syllabus():
        lessons = ", ".join(f"{number} {say(LESSONS[number])}" for number in week.lessons)
        names = ", ".join(f"`{exercise.name}`" for exercise in week.exercises)
        rows.append(f"| {week.number} | {say(week.title)} | {lessons} | {names} | {week.minutes} |")
    yield "\n".join(rows)


def about(exercise: Exercise) -> Iterator[str]:
    """One exercise: what is written, the hints, what goes wrong and what is then said."""
    yield f"### {exercise.name}: {say(exercise.title)}"
    targets = ", ".join(f"`{target}`" for target in exercise.targets)
    facts = {
        say("Lesson"): f"{exercise.lesson}, {say(LESSONS[exercise.lesson])}",
        say("To write"): tell("{targets} in {module}", targets=targets, module=f"`{exercise.module}`"),
        say("Difficulty"): tell(
            "{difficulty} of 5, about {minutes} minutes, {points} points",
            difficulty=exercise.difficulty,
            minutes=exercise.minutes,
            points=exercise.worth,
        ),
    }
    if exercise.after:
        facts[say("After")] = ", ".join(exercise.after)
    yield "\n".join(listed(facts))
    hints = "\n".join(f"{number}. {say(hint)}" for number, hint in enumerate(exercise.hints, start=1))
    yield f"{say('Hints:')}\n\n{hints}"
    if exercise.wrong:
        yield say("Usual mistakes, and what is said of each:")
        yield "\n".join(line for wrong in exercise.wrong for line in mistake(wrong, exercise.tests))


def listed(facts: Mapping[str, str]) -> Iterator[str]:
    return (f"- {what}: {fact}" for what, fact in facts.items())


def mistake(wrong: Wrong, tests: Sequence[str]) -> Iterator[str]:
    new = code(wrong.new) or say("left out")
    yield f"- {tell('{new} in place of {old}', new=new, old=code(wrong.old))}"
    told = whole_sentence(wrong.message, tests)
    yield f"  → “{in_language(' '.join(told.split()))}”"


def code(text: str) -> str:
    """In one line, between more backticks than it holds."""
    line = " ".join(text.split())
    mark = "``" if "`" in line else "`"
    return f"{mark}{line}{mark}" if line else ""
