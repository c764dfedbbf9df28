"""What the commands say beside the exercises: their lines, tables, reports, figures and --help, found in their sources."""

import ast
from collections.abc import Iterator
from pathlib import Path

from lessons.chat.comparing.page import CAPTIONS as CHAT_CAPTIONS
from lessons.chat.comparing.report import GROUPS
from lessons.chat.comparing.table import COST
from lessons.compare.kept import HEADINGS as KEPT_HEADINGS
from lessons.compare.page import CAPTIONS
from lessons.compare.table import COLUMNS
from lessons.drawing.families import FAMILIES
from lessons.exercises.source import LIBRARY
from lessons.language.options import PYTHONS_WORDS, texts_of
from lessons.memory.plan import KINDS
from lessons.preferences.prefer import QUESTION
from lessons.translate.messages import texts_in
from lessons.translate.po import Text
from lessons.translate.strings import braces_doubled, template_of

ROOMS = {
    "compare": "amounts attention climbing command figures kept_rates page processes search settings table trade_offs",
    "task": "dictionary machine outputs pretrain pronounce techniques vocabulary",
    "memory": "command plan show tally",
    "benchmark": "command",
    "chat": "answer command",
    "chat/comparing": "command figures page search table",
    "chat/training": "command",
    "chat/preferring": "arms command table",
    "sentiment": "command figure measures table",
    "preferences": "calibration command figures page prefer prefer_training ratings tables",
    "drawing": "families",
    "page": "command",
    "new_technique": "command",
    "exercises/teacher": "commands grading",
}
"""Room → its files that speak to a student of the course beside the exercises."""

COMMANDS = tuple(f"lessons/{room}/{file}.py" for room, files in ROOMS.items() for file in files.split())
RUN = (
    "seeds",
    "steps",
    "train words",
    "test words",
    "quick",
    "base",
    "jobs",
    "threads",
    "machine",
    "model",
    "batch tokens",
    "rates",
    "english",
    "prompts",
    "all",
    "True",
    "False",
)
"""What report.json says of a run, as its page does."""

HEADINGS = (
    *(heading for _, heading, _ in COLUMNS if (heading.isalpha() and len(heading) > 2) or "\n" in heading),
    *(heading for heading, _, _ in COLUMNS),
    *KEPT_HEADINGS,
    *(title for captions in (CAPTIONS, CHAT_CAPTIONS) for title, _ in captions.values()),
    *RUN,
    *GROUPS["spelling"],
    *GROUPS["sentiment"],
    *COST,
    *FAMILIES,
    "starting",
    "evaluating",
    "loss {loss}",
    "base of {method}",
    "British",
    "American",
    "learnt",
    "spelling",
    "sentiment",
    "supervised",
    "notes",
    "words",
    "r, mean",
    "end",
    "accuracy, %",
    "mean",
    "word",
    "dictionary",
    "before",
    "after",
    "answer",
    QUESTION,
    "the base, untouched",
    "the base of `{method}`, in 4 bits",
    "forgotten",
    *KINDS,
    "{what}, rank {rank}",
    "{what}, on each of {cards} cards",
    "this base has no bias to train within the sites {sites}",
    "PILL needs a base with an encoder: there the types of the tokens are read",
)
"""Headings of tables that are a word or an abbreviation, and lines that are put together or come from the library."""

FIRST_LINE = "__doc__.splitlines()[0]"
HELP = (
    *(f"lessons/{room}/command.py" for room in ("benchmark", "chat", "clinic", "compare", "memory", "new_technique")),
    *(f"lessons/{room}/command.py" for room in ("page", "preferences", "sentiment", "site", "translate")),
    *(f"lessons/chat/{room}/command.py" for room in ("comparing", "preferring", "training")),
    "lessons/chat/comparing/search.py",
    "lessons/compare/amounts.py",
    "lessons/compare/search.py",
    "lessons/compare/settings.py",
    "lessons/install/doctor.py",
    "lessons/preferences/prefer.py",
    "lessons/task/pretrain.py",
    "lessons/task/pronounce.py",
)
"""Where the options of a command are said, and what it is."""


def command_texts() -> Iterator[Text]:
    for word in HEADINGS:
        yield Text(word, "the heading of a column", ("lessons/translate/commands.py", 0))
    yield from texts_in(COMMANDS)
    for words in PYTHONS_WORDS:
        yield Text(words, "what stands in every --help", ("lessons/language/options.py", 0))
    for file in HELP:
        yield from help_texts(LIBRARY / file, file)


def help_texts(path: Path, place: str) -> Iterator[Text]:
    """What `--help` says: the module's docstring, or its first line where only that is shown, and of each option."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    if "__doc__" in source:
        docstring = ast.get_docstring(tree) or ""
        for text in texts_of(docstring.split("\n")[0] if FIRST_LINE in source else docstring):
            yield Text(braces_doubled(text), "what --help says", (place, 1))
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "help":
            yield Text(template_of(node.value), "what --help says of an option", (place, node.value.lineno))
