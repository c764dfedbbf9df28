"""The processes that come from one process: who they are, how much memory they hold, and how to end them all."""

import ctypes
import os
import resource
import signal
import subprocess
from pathlib import Path

PROC = Path("/proc")
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def adopt_orphans() -> None:
    """Descendants whose parent ended become children of this process, so that none gets away. Linux only."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent() -> None:
    """This process is killed when its parent ends. Linux only."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def prctl(option: int, value: int) -> None:
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def parents() -> dict[int, int]:
    """Process → its parent, of all that are alive."""
    if PROC.joinpath("self/stat").exists():
        pairs = {}
        for entry in os.listdir(PROC):
            if entry.isdigit() and (stat := read(PROC / entry / "stat")):
                pairs[int(entry)] = int(stat.rpartition(")")[2].split()[1])
        return pairs
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return {int(pid): int(parent) for pid, parent in (line.split() for line in listing.splitlines())}


def read(path: Path) -> str:
    """The text of a file of /proc, or nothing if its process has ended meanwhile."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def descendants(ancestor: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, parent in parents().items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    waiting = [ancestor]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.add(child)
            waiting.append(child)
    return found


def resident_bytes(pids: set[int]) -> int:
    """What they hold in memory, without what lies in files. 0 where the system does not say."""
    pages = 0
    for pid in pids:
        if len(fields := read(PROC / str(pid) / "statm").split()) > 2:
            pages += max(0, int(fields[1]) - int(fields[2]))
    return pages * resource.getpagesize()


def end_descendants(ancestor: int) -> None:
    """Kills until nobody is left; whoever is born meanwhile is killed in the next round."""
    while pids := descendants(ancestor):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        reap()


def reap() -> None:
    """Takes leave of the dead children, so that they do not count as alive."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return
