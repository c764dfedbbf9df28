"""Noticing that a file was saved."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

QUIET_SECONDS = 0.2
"""An editor may write a file in several steps; it is whole when nothing has happened to it for so long."""

POLL_SECONDS = 0.05

Stamp = tuple[int, int]
GONE: Stamp = (0, 0)


def saved_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Each path, whenever its file has changed since this call and is quiet again."""
    return changed_since({path: stamp(path) for path in paths})


def changed_since(told: dict[Path, Stamp]) -> Iterator[Path]:
    looked = dict(told)
    quiet_since = dict.fromkeys(told, 0.0)
    while True:
        time.sleep(POLL_SECONDS)
        for path in told:
            now, moment = stamp(path), time.monotonic()
            if now != looked[path]:
                looked[path], quiet_since[path] = now, moment
            elif now != told[path] and moment - quiet_since[path] >= QUIET_SECONDS:
                told[path] = now
                if now != GONE:
                    yield path


def stamp(path: Path) -> Stamp:
    """When it was last written, and how long it is."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return GONE
    return (found.st_mtime_ns, found.st_size)
