"""What there is to translate, by the name of its .po file: each lesson, README, and the texts of the exercises."""

import ast
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lessons.exercises import catalogue
from lessons.exercises.course import LESSONS as TITLES
from lessons.exercises.course import PARTS
from lessons.language.blocks import entries, kind_of
from lessons.language.outputs import OUTPUTS
from lessons.language.words import CLINIC, COMMANDS, GLOSSARY, GRADERS, GUIDE, MESSAGES
from lessons.page.words import PAGE, page_texts
from lessons.teaching import boxes, course_map, diagram, kept, legend, sounds, source, tasks
from lessons.teaching.calls import Call, calls_in, texts_of
from lessons.teaching.course_map import BEGIN, END
from lessons.teaching.notebooks import LESSONS, read_lesson, sources
from lessons.translate.commands import command_texts
from lessons.translate.fixed import SITE
from lessons.translate.glossary import glossary_texts
from lessons.translate.guide import guide_texts
from lessons.translate.messages import clinic_texts, grader_texts, message_texts
from lessons.translate.po import Text
from lessons.translate.seen import seen_texts
from lessons.translate.words import VALUES

README = LESSONS.parent / "README.md"
COURSE, EXERCISES = "course", "exercises"


def names() -> list[str]:
    """Every .po file that there must be."""
    return [*(source.stem for source in sources()), "README", *TOLD]


def texts(name: str) -> list[Text]:
    """The texts of one file, in the order in which a reader meets them. Raises ValueError for a name that is none."""
    if name == "README":
        return list(readme_texts())
    if name in TOLD:
        return list(TOLD[name]())
    source = LESSONS / f"{name}.py"
    if not source.is_file():
        raise ValueError(f"there is nothing named {name!r} to translate; there are {', '.join(names())}")
    return list(lesson_texts(source))


def lesson_texts(source: Path) -> Iterator[Text]:
    """Markdown cells, and the templates that code cells show."""
    for number, cell in enumerate(read_lesson(source).cells, start=1):
        if cell.cell_type == "markdown":
            yield from markdown_texts(cell.source, f"lessons/{source.name}", number)
        else:
            calls = calls_in(cell.source)
            for text in [*texts_of(calls), *folded_lines(calls)]:
                yield Text(
                    text, "a sentence with numbers, a box or a figure's words", (f"lessons/{source.name}", number)
                )


def readme_texts() -> Iterator[Text]:
    """README but for its map, which is made of the Chinese lessons."""
    before, after = around_map(README.read_text(encoding="utf-8"))
    for entry in [*entries(before, rows=True), *entries(after, rows=True)]:
        yield Text(entry, kind_of(entry), (README.name, 0))


def around_map(readme: str) -> tuple[str, str]:
    before, _, rest = readme.partition(BEGIN)
    return before, rest.partition(END)[2]


def folded_lines(calls: Sequence[Call]) -> Iterator[str]:
    """The lines behind which tables of sounds open."""
    for name, node in calls:
        for keyword in node.keywords:
            if (name, keyword.arg) == ("show_sounds", "folded") and isinstance(keyword.value, ast.Constant):
                yield str(keyword.value.value)


def markdown_texts(text: str, file: str, number: int = 0) -> Iterator[Text]:
    for entry in entries(text):
        yield Text(entry, kind_of(entry), (file, number))


def course_texts() -> Iterator[Text]:
    """Titles of the lessons, and the words that every lesson shows: labels of boxes and tables."""
    for number, title in TITLES.items():
        yield Text(title, "title of a lesson", ("lessons/exercises/course.py", number))
    words = [label for label, _ in boxes.ROWS] + [tasks.NONE, tasks.NEXT, tasks.MINUTES, tasks.AFTER, tasks.HERE]
    for word in [
        *words,
        *SITE.values(),
        *VALUES,
        legend.HEADING,
        diagram.DESCRIBED,
        diagram.NOTHING,
        *course_map.HEADINGS,
        *PARTS.values(),
        *sounds.HEADINGS,
        *kept.COLUMNS,
        kept.UNTUNED,
        source.FOLDED,
    ]:
        yield Text(word, "a fixed word of the pages", ("lessons/teaching", 0))


def exercise_texts() -> Iterator[Text]:
    """Titles and hints."""
    for exercise in catalogue.all_exercises().values():
        place = (f"lessons/exercises/catalogue ({exercise.name})", exercise.lesson)
        yield Text(exercise.title, "title of an exercise", place)
        for hint in exercise.hints:
            yield Text(hint, "hint", place)


def told_by_the_page() -> Iterator[Text]:
    return (Text(text, "what the page says", (f"lessons/page/{file}", 0)) for file, text in page_texts())


TOLD: dict[str, Callable[[], Iterator[Text]]] = {
    COURSE: course_texts,
    OUTPUTS: seen_texts,
    EXERCISES: exercise_texts,
    MESSAGES: message_texts,
    GRADERS: grader_texts,
    CLINIC: clinic_texts,
    COMMANDS: command_texts,
    GLOSSARY: glossary_texts,
    GUIDE: guide_texts,
    PAGE: told_by_the_page,
}
"""The texts that no page is made of."""
