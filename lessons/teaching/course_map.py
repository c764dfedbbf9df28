"""README's map of the course: each lesson with its minutes and its finding, from the lessons themselves.

python -m lessons.teaching.course_map            writes it into README.md, between its two markers
python -m lessons.teaching.course_map --print    prints it

Minutes are those of the lesson's head. The finding is the title of the first figure of an experiment in the built notebook;
a notebook that was built before titles were kept, or none, leaves the lesson's question in its place.
"""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat

from lessons.drawing.grids import as_markdown
from lessons.exercises.catalogue import all_exercises
from lessons.exercises.course import LESSONS, PARTS
from lessons.teaching.form import minutes_of
from lessons.teaching.notebooks import notebook_of, read_lesson, sources
from lessons.teaching.said import Say, in_english
from lessons.teaching.wording import sections

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- the map: python -m lessons.teaching.course_map -->", "<!-- the end of the map -->"
KEPT_TITLE = re.compile(r"\[figure: (.+)\]\Z", re.DOTALL)
QUESTION = re.compile(r"\*\*The question\.\*\*\s+(.+?)(?:\n\n|\Z)", re.DOTALL)


HEADINGS = ("part", "lesson", "minutes", "what comes out, or what is asked")


def course_map(
    say: Say = in_english,
    folder: str = "lessons/notebooks",
    told: Callable[[Path], str] = lambda source: finding(source) or question(source),
) -> str:
    """The table: part, lesson, minutes, finding. In another language `say`, `folder` and `told` are that language's."""
    lines = [[say(heading) for heading in HEADINGS]]
    for source in sources():
        number = int(source.stem[:2])
        link = f"[{number}. {say(LESSONS[number])}]({folder}/{source.stem}.ipynb)"
        part = say(PARTS[number]) if number in PARTS else ""
        lines.append([part, link, minutes(source), cell(told(source))])
    head, *rows = as_markdown(lines).splitlines()
    rule, *rows = rows
    return "\n".join([head, rule.replace("---:", "---"), *rows])


def minutes(source: Path) -> str:
    """As the head says it; nothing where it does not."""
    try:
        return str(minutes_of(source))
    except ValueError:
        return ""


def finding(source: Path) -> str:
    """The title of the first figure under an "## Experiment" of the built notebook; "" where it kept none."""
    built = notebook_of(source)
    if not built.is_file():
        return ""
    for heading, part in sections(nbformat.read(built, as_version=4)):
        if not heading.startswith("Experiment"):
            continue
        for output in part.get("outputs", []):
            data = output.get("data", {})
            kept = KEPT_TITLE.match("".join(data.get("text/plain", "")))
            if "image/png" in data and kept:
                return kept[1]
    return ""


def question(source: Path) -> str:
    """The last sentence of the lesson's question that ends with a question mark; "" where it asks none."""
    asked = QUESTION.search(read_lesson(source).cells[0].source)
    questions = re.findall(r"[^.?!]+\?", " ".join(asked[1].split())) if asked else []
    return questions[-1].strip(" *\"'") if questions else ""


def cell(text: str) -> str:
    """One line without what would end a cell of a table."""
    return " ".join(text.split()).replace("|", r"\|")


def with_map(readme: str) -> str:
    """README with the present map and counts. Raises ValueError where the markers are missing."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md lacks the lines {BEGIN} and {END}, between which the map stands")
    whole = f"{before}{BEGIN}\n\n{course_map()}\n\n{END}{after}"
    exercises = len(all_exercises())
    whole = re.sub(r"\d+ lessons, \d+ exercises", f"{len(LESSONS)} lessons, {exercises} exercises", whole)
    return re.sub(r"shows \d+ exercises", f"shows {exercises} exercises", whole)


def main(arguments: Sequence[str]) -> int:
    if "--print" in arguments:
        print(course_map())
        return 0
    README.write_text(with_map(README.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote the map of {len(sources())} lessons into {README.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
