"""Results in words: for a terminal, for a machine, for a notebook."""

import html
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from lessons.exercises.diagnosis.first import first_to_explain
from lessons.exercises.grading.result import FAILED, NOT_ATTEMPTED, PASSED, Result
from lessons.language.message import in_language
from lessons.language.words import say, tell
from lessons.language.wrapping import wrapped

COLOURS = {PASSED: "green", FAILED: "red", NOT_ATTEMPTED: "yellow"}
FRAME = 4
"""Cells of the box beside the text."""

MARKS = {PASSED: "✓", FAILED: "✗", NOT_ATTEMPTED: "·"}

WITHOUT_WALL = (
    "no wall on this machine: a checked file runs like any program of yours, with limits on time and memory only"
)


def without_wall_text(why: str) -> str:
    return f"{say(WITHOUT_WALL)} ({in_language(why)})"


def test_in_words(name: str) -> str:
    """tests/a/test_b.py::test_padding_changes_nothing[length 4] → padding changes nothing [length 4]"""
    words, bracket, values = name.rpartition("::")[2].removeprefix("test_").partition("[")
    told = ", ".join(in_language(value) for value in values.removesuffix("]").split(", "))
    return " ".join([say(words.replace("_", " ")), *([f"[{told}]"] if bracket else [])])


def failed_first(result: Result) -> str:
    """The property that the message is about."""
    if all(test["outcome"] == PASSED for test in result.tests):
        return ""
    return test_in_words(first_to_explain(result.tests, PASSED)["name"])


def result_text(result: Result, file: str = "") -> str:
    """The message first, then the line of the student's file, then the tests."""
    status = say(result.status)
    parts = [f"{MARKS.get(result.status, '?')} {result.name}: {status} ({result.seconds:.1f} s)"]
    if result.status != PASSED:
        property_line = failed_first(result)
        parts += [tell("what must hold: {property}", property=property_line)] if property_line else []
        parts += [in_language(result.message)] if result.message else []
        parts += [f"{file or say('your file')}, {in_language(result.where)}"] if result.where else []
    if result.tests and result.status != PASSED:
        parts += ["", *(f"  {MARKS.get(test['outcome'], '✗')} {test_in_words(test['name'])}" for test in result.tests)]
    if printed := result.printed.strip():
        parts += ["", say("printed:"), printed]
    return "\n".join(parts)


def show(console: Console, result: Result, file: str = "", after: Mapping[str, str] | None = None) -> None:
    """The card, and under it the commands that lead on, each alone in its line so that it can be copied."""
    colour = COLOURS.get(result.status, "magenta")
    head, _, rest = result_text(result, file).partition("\n")
    if rest:
        box = Panel(
            Text(wrapped(rest, console.width - FRAME)), title=Text(head), title_align="left", border_style=colour
        )
        console.print(box, soft_wrap=False)  # a box that does not wrap crops
    else:
        console.print(Text(head, style=colour))
    for what, command in (after or {}).items():
        console.print(Text(what, style="dim"))
        console.print(Text(f"    {command}"))


def told(console: Console, line: str, style: str = "") -> None:
    """A sentence, broken between words where the terminal ends."""
    console.print(Text(wrapped(line, console.width), style=style), soft_wrap=False)


def as_json(result: Result) -> dict[str, Any]:
    return asdict(result) | {"exit_code": result.exit_code}


class Card:
    """A result that a notebook shows by itself; `built` is what a passed solution does in the model, `then` leads on."""

    def __init__(self, result: Result, built: str = "", then: str = ""):
        self.result, self.built, self.then = result, built, then

    def __repr__(self) -> str:
        return "\n".join(filter(None, (result_text(self.result), self.built, self.then)))

    def _repr_html_(self) -> str:
        head, _, rest = repr(self).partition("\n")
        colour = {PASSED: "#2e7d32", FAILED: "#c62828"}.get(self.result.status, "#9e6a03")
        return (
            f'<div style="border-left: 4px solid {colour}; padding: 0.4em 1em">'
            f'<b style="color: {colour}">{html.escape(head)}</b>'
            f'<pre style="margin: 0.4em 0; white-space: pre-wrap">{html.escape(rest)}</pre></div>'
        )
