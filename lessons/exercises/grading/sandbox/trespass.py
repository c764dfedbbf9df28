"""What a child does that it may not: too long, too large, more than one process, too much on the disk."""

import os
import time
from pathlib import Path

from lessons.exercises.grading.sandbox import processes
from lessons.exercises.grading.sandbox.child import Child
from lessons.exercises.grading.sandbox.limits import MEGABYTE

LONGEST_ANSWER = 64 * MEGABYTE


def trespass(child: Child, answered: int) -> str:
    """The first thing that the child does and may not, in words; empty while it behaves."""
    bounds = child.limits
    if time.monotonic() - child.started > bounds.seconds:
        return f"it took more than {bounds.seconds:.0f} seconds: is there an endless loop?"
    if answered > LONGEST_ANSWER:
        return f"it answered with more than {LONGEST_ANSWER // MEGABYTE} MB"
    family = processes.descendants(os.getpid())
    if len(family) > 1:
        return "it started another process, which an exercise may not do"
    if processes.resident_bytes(family) > child.resident_at_start + bounds.memory:
        return f"it used more than {bounds.memory // MEGABYTE} MB of memory"
    used, files = disk_usage(child.scratch / "tmp", bounds.files)
    if used > bounds.disk or files > bounds.files:
        return f"it wrote more than {bounds.disk // MEGABYTE} MB or {bounds.files} files to the disk"
    return ""


def disk_usage(folder: Path, most_files: int) -> tuple[int, int]:
    """Bytes and number of files beneath a folder; the count stops a little after `most_files`."""
    used = files = 0
    for parent, folders, names in os.walk(folder):
        files += len(folders) + len(names)
        if files > most_files:
            break
        for name in names:
            try:
                used += os.lstat(os.path.join(parent, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return used, files
