"""What the commands, the cards and the graders say, found in their sources."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from lessons.chat.comparing.page import CAPTIONS as CHAT_CAPTIONS
from lessons.chat.comparing.report import GROUPS
from lessons.chat.comparing.table import COST
from lessons.clinic.cases import CASES
from lessons.clinic.folder import CHECKS as FOLDER
from lessons.compare.page import CAPTIONS
from lessons.compare.table import COLUMNS
from lessons.drawing.families import FAMILIES
from lessons.exercises.catalogue import all_exercises
from lessons.exercises.grading.result import EXIT_CODES
from lessons.exercises.source import LIBRARY
from lessons.install.doctor import CHECKS as DOCTOR
from lessons.language.options import PYTHONS_WORDS, texts_of
from lessons.memory.plan import KINDS
from lessons.translate.judged import cause_texts, probe_texts
from lessons.translate.po import Text
from lessons.translate.strings import braces_doubled, is_text, spoken_in, template_of

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

COMMANDS = (
    "lessons/compare/command.py",
    "lessons/compare/table.py",
    "lessons/compare/page.py",
    "lessons/compare/figures.py",
    "lessons/compare/trade_offs.py",
    "lessons/compare/attention.py",
    "lessons/compare/settings.py",
    "lessons/compare/processes.py",
    "lessons/drawing/families.py",
    "lessons/memory/plan.py",
    "lessons/memory/show.py",
    "lessons/memory/command.py",
    "lessons/memory/tally.py",
    "lessons/chat/answer.py",
    "lessons/chat/command.py",
    "lessons/chat/comparing/command.py",
    "lessons/chat/comparing/page.py",
    "lessons/chat/comparing/figures.py",
    "lessons/chat/comparing/table.py",
    "lessons/chat/comparing/search.py",
    "lessons/chat/training/command.py",
    "lessons/chat/preferring/command.py",
    "lessons/chat/preferring/arms.py",
    "lessons/chat/preferring/table.py",
    "lessons/benchmark/command.py",
    "lessons/page/command.py",
    "lessons/task/pronounce.py",
    "lessons/task/pretrain.py",
    "lessons/task/dictionary.py",
    "lessons/task/machine.py",
    "lessons/task/outputs.py",
    "lessons/task/vocabulary.py",
    "lessons/task/techniques.py",
)
"""Files whose commands a student of the course meets beside the exercises."""

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
    "{accent}: {meaning}",
    "learnt",
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


def command_texts() -> Iterator[Text]:
    for word in HEADINGS:
        yield Text(word, "the heading of a column", ("lessons/translate/messages.py", 0))
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
