"""Noticing that a file was saved."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

POLL_SECONDS = 0.3


def saved_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Each path, whenever its file has changed; the first look only remembers."""
    seen = {path: stamp(path) for path in paths}
    while True:
        time.sleep(POLL_SECONDS)
        for path, before in list(seen.items()):
            if (now := stamp(path)) != before:
                seen[path] = now
                yield path


def stamp(path: Path) -> tuple[int, int]:
    return (path.stat().st_mtime_ns, path.stat().st_size) if path.is_file() else (0, 0)
