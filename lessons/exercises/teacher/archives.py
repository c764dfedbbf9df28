"""Reading the zip files that students and learning platforms make, and folders of the same. No name in one is ever a path.

Python files and zip files are taken, of all others the names, and it is the caller who names what is written. An archive that wants to write
elsewhere, or unpacks to more than anyone has typed, is refused.
"""

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from lessons.exercises.source import LONGEST_FILE, UnreadableSourceError

MOST_MEMBERS = 20_000
LONGEST_ARCHIVE = 20_000_000
"""Bytes of an archive inside an archive: one student's work."""

LONGEST_WHOLE = 500_000_000
"""Bytes that are taken out of one archive, together."""

DEEPEST = 10
"""Folders in folders, where it is no archive that is read."""

READ = (".py", ".zip")
NEVER = ("__MACOSX", "__pycache__", ".git", ".venv")


@dataclass(frozen=True)
class Member:
    """A file in an archive: its name in parts, its content, and when it was written (local time, as zip keeps it)."""

    parts: tuple[str, ...]
    content: bytes
    written: float

    @property
    def is_read(self) -> bool:
        """Of every other file only the name is known."""
        return is_read(self.parts[-1])


def is_read(name: str) -> bool:
    return Path(name).suffix.lower() in READ


def members(archive: Path | BinaryIO) -> Iterator[Member]:
    """The Python and zip files in it, and the names of the others. Raises UnreadableSourceError for an archive that is broken or means harm."""
    try:
        with zipfile.ZipFile(archive) as opened:
            yield from taken(opened)
    except (UnreadableSourceError, FileNotFoundError, GeneratorExit):
        raise
    except Exception as error:  # zipfile has many, zlib, bz2 and lzma have their own
        raise UnreadableSourceError(f"the zip file cannot be read: {type(error).__name__}: {error}") from error


def taken(opened: zipfile.ZipFile) -> Iterator[Member]:
    if len(opened.infolist()) > MOST_MEMBERS:
        raise UnreadableSourceError(f"the zip file holds {len(opened.infolist())} files; {MOST_MEMBERS} are the most")
    left = LONGEST_WHOLE
    for info in opened.infolist():
        parts = parts_of(info.filename)
        if info.is_dir() or set(parts) & set(NEVER):
            continue
        if not is_read(parts[-1]):
            yield Member(parts, b"", time_of(info))
            continue
        most = min(left, LONGEST_FILE if parts[-1].lower().endswith(".py") else LONGEST_ARCHIVE)
        with opened.open(info) as file:
            content = file.read(most + 1)  # what the archive says of a size is not believed
        if len(content) > most:
            raise UnreadableSourceError(f"{info.filename!r} in the zip file unpacks to more than {most} bytes")
        left -= len(content)
        yield Member(parts, content, time_of(info))


def parts_of(name: str) -> tuple[str, ...]:
    """A member's name in parts. Raises UnreadableSourceError for one that leads out of its archive."""
    parts = name.replace("\\", "/").split("/")
    if parts[0] == "" or ".." in parts or parts[0][1:2] == ":":
        raise UnreadableSourceError(f"{name!r} in the zip file leads out of it: nothing of the archive is read")
    return tuple(part for part in parts if part not in ("", ".")) or (name,)


def time_of(info: zipfile.ZipInfo) -> float:
    try:
        return datetime(*info.date_time).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def files_in(folder: Path) -> Iterator[Member]:
    """As from an archive, in the order of names. Links are not followed: they may lead out."""
    for parent, folders, names in os.walk(folder):
        depth = len(Path(parent).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if name not in NEVER) if depth < DEEPEST else []
        for name in sorted(names):
            path = Path(parent) / name
            if not path.is_file() or path.is_symlink():
                continue
            most = LONGEST_FILE if path.suffix.lower() == ".py" else LONGEST_ARCHIVE
            with path.open("rb") as file:
                content = file.read(most + 1) if is_read(name) else b""
            yield Member(path.relative_to(folder).parts, content, path.stat().st_mtime)
