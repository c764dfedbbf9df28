"""A student's file as text, and a text file that is written whole."""

import os
from pathlib import Path

from lessons.exercises.source import LONGEST_FILE, UnreadableSourceError


def read_submission(path: Path) -> str:
    """A student's file as text. Raises UnreadableSourceError for one that is no readable Python file."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.stat().st_size > LONGEST_FILE:
        raise UnreadableSourceError(f"{path} has {path.stat().st_size} bytes; {LONGEST_FILE} are the most that is read")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableSourceError(f"{path} is not UTF-8 text: {error}") from error


def write_whole(path: Path, text: str) -> None:
    """Whole or not at all: a neighbour file takes the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    neighbour = path.with_name(f".{path.name}.{os.getpid()}.part")
    neighbour.write_text(text, encoding="utf-8")
    neighbour.replace(path)
