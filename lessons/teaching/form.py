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
from lessons.teaching.notebooks import LESSONS, NOTEBOOKS, is_hidden, read_lesson, sources

PARTS = (
    "The picture", "The idea", "The formula", "The code", "By hand", "Experiment", "The usual mistakes",
    "Three questions", "Exercises", "Summary", "Where to read on",
)  # fmt: skip
MOST_CODE_LINES = 60
PRIVATE = {
    r"\bbends?\b": "non-linearity", r"\bdear\b": "expensive", r"\bby chance\b": "at random", r"\bthe exam\b": "the test",
    r"\btold the answer\b": "teacher forcing", r"\bthe kept run\b": "the saved run",
    r"\bthe field\b": "name who", r"\bcheap(er|est)? in numbers\b": "few parameters",
}  # fmt: skip
MEASURED = re.compile(r"\d[\d.,]*\s?%|\d+\.\d+")
PLACE = re.compile(r"\b([Ss]ections?|[Tt]able|[Ff]igure|version) [\d.]*\d")
PAPER = re.compile(r"\b\d{4}\.\d{4,5}\b")
LINK = re.compile(r"\[[^\]]*\]\(([^)]*)\)")


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


def sections(notebook: NotebookNode) -> list[tuple[str, NotebookNode]]:
    """Each cell with the heading (##) under which it stands; a cell with several headings counts under its last."""
    heading, found = "", []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for piece in re.split(r"(?m)^(?=## )", cell.source):
                heading = piece.partition("\n")[0].removeprefix("## ") if piece.startswith("## ") else heading
                found.append((heading, type(cell)({**cell, "source": piece})))
        else:
            found.append((heading, cell))
    return found


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


def words(notebook: NotebookNode, templates: Sequence[str]) -> Iterator[str]:
    """Private words, for which the field has one."""
    for text in (*prose_of(notebook), *templates):
        for pattern, better in PRIVATE.items():
            if found := re.search(pattern, text):
                yield f"{found[0]!r}: rather {better}, in {around(text, found)!r}"


def numbers(notebook: NotebookNode, templates: Sequence[str]) -> Iterator[str]:
    """A percentage or a decimal in prose comes from the data: `prose(...)`. Elsewhere: by hand and in its drawing, formulas, code, papers."""
    told = [
        cell.source
        for heading, cell in sections(notebook)
        if cell.cell_type == "markdown"
        and not heading.startswith(("By hand", "The formula"))
        and "numbers" not in cell.metadata.get("tags", [])
    ]
    for text in (*told, *(re.sub(r"\{[^}]*\}", "", template) for template in templates)):
        plain = PLACE.sub("", PAPER.sub("", without_marks(text)))
        for found in MEASURED.finditer(plain):
            yield f"a number typed into prose: {around(plain, found)!r}; prose(...) takes it from the data"


def links(notebook: NotebookNode) -> Iterator[str]:
    """Papers and issues are linked, lessons and files that are linked exist, reading on leads somewhere."""
    reading = "".join(cell.source for heading, cell in sections(notebook) if heading.startswith("Where to read on"))
    if reading.count("](https://") < 3:
        yield "## Where to read on has fewer than three links [title](https://...)"
    for text in prose_of(notebook):
        for target in LINK.findall(text):
            path = target.partition("#")[0]
            if path and not path.startswith("http") and not exists(path):
                yield f"links to {path}, which is not there (links start in lessons/notebooks/)"
        for found in re.finditer(rf"{PAPER.pattern}|\b[\w-]+#\d+\b", without_marks(LINK.sub("", text))):
            yield f"{found[0]} is no link: [{found[0]}](https://...)"


def exists(path: str) -> bool:
    """From the notebooks' folder; a notebook that is not built yet exists by its source."""
    return (
        (LESSONS / Path(path).with_suffix(".py")).is_file() if path.endswith(".ipynb") else (NOTEBOOKS / path).exists()
    )


def prose_of(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def without_marks(text: str) -> str:
    """Without formulas, code and the targets of links."""
    text = re.sub(r"(?s)\$\$.*?\$\$|\$[^$]*\$|```.*?```|`[^`]*`", "", text)
    return re.sub(r"\]\([^)]*\)", "]", text)


def around(text: str, found: re.Match[str]) -> str:
    return " ".join(text[max(0, found.start() - 30) : found.end() + 20].split())


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
