"""The sentence of a catalogued mistake: the catalogue keeps a part of what a student reads, the grader has the whole."""

import ast
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from lessons.exercises.source import LIBRARY, parse


def whole_sentence(part: str, tests: Sequence[str]) -> str:
    """The catalogue keeps a part of what a student reads: the sentence of the grader that holds it, where it is one only."""
    holding = [text for text in texts_of(tuple(tests)) if part in text]
    return next((text for text in holding if all(text in other for other in holding)), part)


@cache
def texts_of(tests: tuple[str, ...]) -> list[str]:
    """The strings of these files, without docstrings and parts of longer ones.

    The files lie beside the library or, where it is installed, in the present folder.
    """
    files = [next((root / path for root in (LIBRARY, Path.cwd()) if (root / path).is_file()), None) for path in tests]
    trees = [parse(file.read_text(encoding="utf-8")) for file in files if file]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    left_out = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    left_out |= {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    whole = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in left_out]
    return [text for text in whole if isinstance(text, str)]


def is_cause(message: str) -> bool:
    """Whether a catalogued message says what is wrong, and not only what came of it. Three words alone say neither."""
    return message.count(" ") >= 3 and not KIND_OF_FAILURE.match(message)


KIND_OF_FAILURE = re.compile(
    "(kind|shape|dtype|value|finite|property|gradient|missing|what must hold|length penalty)\\b|every value|NaN"
    "|[A-Z][a-zA-Z]*Error| at batch"
)
"""What begins so is no cause."""
