"""Does a lesson have the form of the course? Reads its source; nothing is executed.

python -m lessons.teaching.form 3        what lesson 3 lacks
python -m lessons.teaching.form          what every lesson lacks

FORM.md says how a lesson is written.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from nbformat import NotebookNode

from lessons.teaching.calls import Call, calls_in, template_complaints, texts_of
from lessons.teaching.notebooks import is_hidden, read_lesson, sources
from lessons.teaching.wording import links, numbers, sections, words

PARTS = (
    "The picture", "The idea", "The formula", "The code", "By hand", "Experiment", "The usual mistakes",
    "Three questions", "Exercises", "Summary", "Where to read on",
)  # fmt: skip
MOST_CODE_LINES = 60


def complaints(source: Path) -> list[str]:
    """What the lesson lacks, one line each; none when it has the form."""
    notebook, code = read_lesson(source), source.read_text(encoding="utf-8")
    calls = calls_in(code)
    return [
        *missing_head(notebook, int(source.stem[:2])),
        *missing_parts(notebook),
        *missing_calls(calls),
        *template_complaints(calls),
        *long_code(notebook),
        *words(notebook, texts_of(calls)),
        *numbers(notebook, texts_of([call for call in calls if call[0] != "show_drawing"])),
        *links(notebook),
    ]


def minutes_of(source: Path) -> int:
    """How long the lesson takes, from its head. Raises ValueError where it does not say."""
    found = re.search(r"\*\*Time:\*\* (\d+) minutes", read_lesson(source).cells[0].source)
    if not found:
        raise ValueError(f"{source.name} does not say **Time:** N minutes in its first cell")
    return int(found[1])


def missing_head(notebook: NotebookNode, number: int) -> Iterator[str]:
    """The first cell: title, question, goals, minutes, what to know before."""
    head = notebook.cells[0].source
    wanted = {
        rf"\A# {number}\. \S": f"begins with its title, # {number}. ...",
        r"\*\*The question\.\*\*[^#]*\?": "**The question.** with a question mark",
        r"\*\*You will be able to\*\*\n\n- ": "**You will be able to** and a list",
        r"\*\*Time:\*\* \d+ minutes": "**Time:** N minutes",
        r"\*\*Before it:\*\* \S": "**Before it:** what to know",
    }
    yield from (f"the first cell lacks {what}" for pattern, what in wanted.items() if not re.search(pattern, head))


def missing_parts(notebook: NotebookNode) -> Iterator[str]:
    """All parts, in their order; other headings may stand between. Three questions have folded answers."""
    under = sections(notebook)
    headings = list(dict.fromkeys(heading for heading, _ in under if heading))
    at = -1
    for part in PARTS:
        places = [place for place, heading in enumerate(headings) if heading.startswith(part)]
        if not places:
            yield f"no heading ## {part}"
        elif places[0] < at:
            yield f"## {part} comes too early"
        else:
            at = places[0]
    inside = {part: "".join(cell.source for heading, cell in under if heading.startswith(part)) for part in PARTS}
    if inside["Three questions"].count("<details>") != 3:
        yield "## Three questions has not three answers folded in <details>"
    if "$" not in inside["The formula"]:
        yield "## The formula has no formula"
    for part, call in (("The picture", "show_drawing("), ("The code", "show_source(")):
        if call not in inside[part]:
            yield f"## {part} has no {call}...)"


def missing_calls(calls: Sequence[Call]) -> Iterator[str]:
    names = [name for name, _ in calls]
    for wanted in ("lit_diagram", "show_figure", "said_and_so", "exercises_of"):
        if wanted not in names:
            yield f"never calls {wanted}"


def long_code(notebook: NotebookNode) -> Iterator[str]:
    shown = [cell.source for cell in notebook.cells if cell.cell_type == "code" and not is_hidden(cell)]
    lines = sum(bool(line.strip()) for text in shown for line in text.splitlines())
    if lines > MOST_CODE_LINES:
        yield f"{lines} lines of code are shown, at most {MOST_CODE_LINES}: tag cells hide-input, or move them to lessons/experiments"
    if any("plt.show(" in cell.source for cell in notebook.cells):
        yield "plt.show(): show_figure takes its place"


def main(arguments: Sequence[str]) -> int:
    """1 when a lesson lacks something."""
    chosen = [source for source in sources() if not arguments or str(int(source.stem[:2])) in arguments]
    lacking = {source.stem: found for source in chosen if (found := complaints(source))}
    for name, found in lacking.items():
        print(name, *found, sep="\n  ")
    print(f"{len(chosen) - len(lacking)} of {len(chosen)} lessons have the form")
    return int(bool(lacking))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
