"""The options of a command, whose --help speaks the language that is spoken: the description, the options, Python's own words.

A description is a docstring: paragraphs, and indented lines of commands with a remark behind each.
"""

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator
from typing import NoReturn

from lessons.language.choice import CHINESE, language
from lessons.language.message import in_language, said_exactly
from lessons.language.outputs import PIECE, in_columns
from lessons.language.words import say
from lessons.language.wrapping import HAN, wrapped

WIDTH = 79
INDENT = "    "
COMMAND = re.compile(r"python |make |torchrun |--?[a-z]")
"""How what is typed begins."""

PYTHONS_WORDS = (
    "usage:",
    "positional arguments",
    "options",
    "show this help message and exit",
    "unrecognized arguments: {words}",
    "the following arguments are required: {names}",
    "argument {name}: {said}",
    "expected one argument",
    "expected at least one argument",
    "invalid {kind} value: {value}",
    "invalid choice: {value} (choose from {choices})",
    "{program}: error: {said}",
)
"""What argparse says."""


class Options(argparse.ArgumentParser):
    """The options of `python -m lessons COMMAND`."""

    def __init__(self, command: str, description: str):
        super().__init__(
            f"python -m lessons {command}".strip(),
            description=described(description),
            formatter_class=Spoken,
            add_help=False,
        )
        self._positionals.title, self._optionals.title = say("positional arguments"), say("options")
        self.add_argument("-h", "--help", action="help", help="show this help message and exit")

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, in_language(f"{self.prog}: error: {message}") + "\n")


class Spoken(argparse.RawDescriptionHelpFormatter):
    """Chinese lines are broken where Chinese may be."""

    def format_help(self) -> str:
        """A Chinese heading has a Chinese colon, and no blank behind it."""
        text = super().format_help()
        if language() == CHINESE:
            text = re.sub(r"^usage: ", say("usage:"), text)
        return re.sub(rf"^({HAN.pattern}+):$", r"\1：", text, flags=re.MULTILINE)

    def _get_help_string(self, action: argparse.Action) -> str:
        return in_language(action.help or "")

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(text, width).split("\n") if HAN.search(text) else super()._split_lines(text, width)


def described(description: str) -> str:
    """The description in the language that is spoken; the lines of commands where they stood."""
    return "\n\n".join(block_said(block) for block in blocks(description))


def blocks(description: str) -> list[str]:
    return [block for block in re.split(r"\n\s*\n", description.strip("\n")) if block.strip()]


def block_said(block: str) -> str:
    lines = block.split("\n")
    if block.startswith(INDENT):
        return "\n".join(in_columns(line, exactly) for line in lines)
    english = " ".join(block.split())
    said = exactly(english)
    if said != english:
        return wrapped(said, WIDTH)
    return block if max(map(len, lines)) <= WIDTH else textwrap.fill(english, WIDTH)


def exactly(text: str) -> str:
    return said_exactly(text) or text if language() == CHINESE else text


def texts_of(description: str) -> Iterator[str]:
    """What a translator finds of a description: its paragraphs, and what stands beside its commands."""
    for block in blocks(description):
        pieces = PIECE.findall(block) if block.startswith(INDENT) else [" ".join(block.split())]
        yield from (piece for piece in pieces if not COMMAND.match(piece))
