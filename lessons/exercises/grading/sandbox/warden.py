"""The warden: forks the process that runs untrusted code, watches it, and ends it with all that came from it.

The child says a first byte when it is ready for its question, and answers on the same pipe. The warden believes nothing
that the child says: the answer is bytes for somebody else to judge.
"""

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lessons.exercises.grading.sandbox.child import Child, Work, start
from lessons.exercises.grading.sandbox.limits import MEGABYTE, Limits
from lessons.exercises.grading.sandbox.wall import SIGNALLED, Room
from lessons.task.cores import cores

TICK = 0.05
PATIENCE = 3.0
"""So many times its processor time a job may take by the clock, on a machine that has a core for it."""

NEARLY = 0.8
"""The kernel ends a process by a coarser clock than the one that tells how long it ran."""

LONGEST_ANSWER = 64 * MEGABYTE
ANOTHER_PROCESS = "it started another process, which an exercise may not do"
SIGNALS = {each.value: each.name for each in signal.Signals}
"""Those that have a name: a file may send itself others."""


@dataclass
class Outcome:
    """`ended` is empty when the child went away by itself with exit code 0, else the reason in words."""

    answer: bytes = b""
    printed: bytes = b""
    ended: str = ""


def guarded(
    work: Work, scratch: Path, hidden: Sequence[Path] | None, bounds: Limits, ask: Callable[[], bytes]
) -> Outcome:
    """Runs `work` in a process of its own until it ends or must be ended. `ask` is called when the child is ready.

    `hidden`   what nobody behind the wall may see; None: without a wall. Raises NoWallError where there cannot be one.
    """
    room = None if hidden is None else Room(scratch, hidden, bounds)
    child = start(work, scratch, room, bounds)
    try:
        ended = watch(child, ask)
    finally:
        child.end()
    for descriptor in child.pipes:  # what is still in them when everybody who could write is dead
        with contextlib.suppress(BlockingIOError):
            while child.receive(descriptor):
                continue
    answer, printed = child.pipes.values()
    for descriptor in (child.question, *child.pipes):
        os.close(descriptor)
    return Outcome(bytes(answer[:LONGEST_ANSWER]), bytes(printed[: bounds.output]), ended)


def watch(child: Child, ask: Callable[[], bytes]) -> str:
    """Until the child has ended, or has earned to be ended; returns the reason."""
    answer, printed = child.pipes.values()
    asked = False
    with selectors.DefaultSelector() as selector:
        for descriptor in child.pipes:
            selector.register(descriptor, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select(TICK):
                if not child.receive(key.fd):
                    selector.unregister(key.fd)
            del printed[child.limits.output :]
            if answer and not asked:
                asked = True
                with contextlib.suppress(BrokenPipeError):  # it has ended already, or does not want to be asked
                    os.write(child.question, ask())
            pid, status, used = os.wait4(child.pid, os.WNOHANG)
            if pid:
                return how_it_ended(status, used.ru_utime + used.ru_stime, child.limits)
            if reason := trespass(child, len(answer)):
                return reason
            if not selector.get_map():
                time.sleep(TICK)


def trespass(child: Child, answered: int) -> str:
    """The first thing that the child does and may not, in words; empty while it behaves."""
    bounds = child.limits
    waited = time.monotonic() - child.started
    if waited > PATIENCE * bounds.seconds and waited > PATIENCE * bounds.seconds * crowd():
        return f"it took more than {waited:.0f} seconds: what does it wait for?"
    if answered > LONGEST_ANSWER:
        return f"it answered with more than {LONGEST_ANSWER // MEGABYTE} MB"
    if child.room is None:
        return ""
    threads, others = child.room.population(child.pid)
    if others:
        return ANOTHER_PROCESS
    if threads > bounds.threads:
        return f"it started more than {bounds.threads} threads"
    if child.room.files() > bounds.files:
        return f"it wrote more than {bounds.files} files to the disk"
    return ""


def crowd() -> float:
    """How many processes want each core, at least 1."""
    return max(1.0, os.getloadavg()[0] / cores())


def how_it_ended(status: int, seconds: float, bounds: Limits) -> str:
    code = os.waitstatus_to_exitcode(status)
    number = -code if code < 0 else code - SIGNALLED
    if code == 0:
        return ""
    if number in (signal.SIGXCPU, signal.SIGKILL) and seconds > NEARLY * bounds.seconds:
        return f"it took more than {bounds.seconds:.0f} seconds of processor time: is there an endless loop?"
    if number == signal.SIGSYS:  # from the filter in `calls`
        return ANOTHER_PROCESS
    if number == signal.SIGKILL:
        return "the process was stopped by the system: it used up its memory"
    if number > 0:
        return f"the process died of signal {SIGNALS.get(number, number)}"
    return f"the process ended with exit code {code}"
