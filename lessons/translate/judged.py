"""What a card says that no grader wrote: the names of what the judge compares, and the catalogue's words for a mistake."""

import ast
from collections.abc import Iterator
from pathlib import Path

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.recognition.sentences import is_cause, whole_sentence
from lessons.exercises.source import LIBRARY
from lessons.translate.po import Text
from lessons.translate.strings import template_of

PROBES = "lessons/exercises/probes/*.py"
MADE = (
    "none that learns",
    "some that learn",
    "how many numbers each group holds",
    "lr, the learning rate of each group",
    "the decay of each group",
    "the sum of each group's numbers",
    "everywhere",
    "in some sites",
    "tied",
    "not tied",
    "with bias",
    "without bias",
    "feed forward",
    "the merged bias",
    "the merged weight",
    "what the merged layer computes",
    "the gradient of embedding",
    "the gradient of policy of {kind}",
    "the frequencies of one model",
    "input_ids afterwards",
    "{one} / what {called} gives",
    "the distance of A's curve, in twentieths, {kind}",
    "the distance of A's mean from 0, in tenths of its spread, {kind}",
)
"""Pieces of names that are put together in a loop."""


def cause_texts() -> Iterator[Text]:
    """The messages of the wrong solutions that are told as a cause, whoever wrote the mistake."""
    for exercise in all_exercises().values():
        for wrong in exercise.wrong:
            sentence = whole_sentence(wrong.message, exercise.tests)
            if is_cause(sentence):
                yield Text(sentence, f"what is wrong in {exercise.name}", ("lessons/exercises/catalogue", 0))


def probe_texts() -> Iterator[Text]:
    """The names that probes give their tensors. A word alone stays as it is: it may be an argument's name."""
    for name in MADE:
        yield Text(name, "a piece of the name of what is compared", ("lessons/exercises/probes", 0))
    for path in sorted(LIBRARY.glob(PROBES)):
        for node in names_in(path):
            name = template_of(node)
            if " " in name.replace("{", " {").strip() and any(part.islower() for part in words_of(name)):
                yield Text(name, "the name of what is compared", (str(path.relative_to(LIBRARY)), node.lineno))


def words_of(template: str) -> list[str]:
    """Those of its own, of two letters and more."""
    own = "".join(part.partition("}")[2] if index else part for index, part in enumerate(template.split("{")))
    return [word for word in own.replace(",", " ").split() if word.isalpha() and len(word) > 1]


def names_in(path: Path) -> Iterator[ast.Constant | ast.JoinedStr]:
    """The keys of dictionaries, and of what is put into one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Dict):
            keys = list(node.keys)
        elif isinstance(node, ast.DictComp):
            keys = [node.key]
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            keys = [node.slice]
        else:
            continue
        for key in keys:
            if isinstance(key, ast.JoinedStr) or (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                yield key
