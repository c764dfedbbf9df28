"""The warden: forks the process that runs untrusted code, watches it, and ends it with all that came from it.

    warden ──┬─ watches: clock, memory, disk, number of processes
             └─ child: gives up everything, then runs the work

The child says a first byte when it is ready for its question, and answers on the same pipe. The warden believes nothing
that the child says: the answer is bytes for somebody else to judge.
"""

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lessons.exercises.grading.sandbox import processes
from lessons.exercises.grading.sandbox.child import Child, Work, receive, receive_all, start
from lessons.exercises.grading.sandbox.limits import Limits
from lessons.exercises.grading.sandbox.trespass import trespass
from lessons.exercises.grading.sandbox.view import View

TICK = 0.05
SIGNALS = {each.value: each.name for each in signal.Signals}
"""Those that have a name: a file may send itself others."""


@dataclass
class Outcome:
    """`ended` is empty when the child went away by itself with exit code 0, else the reason in words."""

    answer: bytes = b""
    printed: bytes = b""
    ended: str = ""
    seconds: float = 0.0


def guarded(work: Work, scratch: Path, view: View, bounds: Limits, ask: Callable[[], bytes]) -> Outcome:
    """Runs `work` in a process of its own until it ends or must be ended. `ask` is called when the child is ready."""
    processes.adopt_orphans()
    child = start(work, scratch, view, bounds)
    try:
        ended = watch(child, ask)
    finally:
        processes.end_descendants(os.getpid())
    receive_all(child)
    answer, printed = child.pipes.values()
    for descriptor in (child.question, *child.pipes):
        os.close(descriptor)
    return Outcome(bytes(answer), bytes(printed[: bounds.output]), ended, time.monotonic() - child.started)


def watch(child: Child, ask: Callable[[], bytes]) -> str:
    """Until the child has ended, or has earned to be ended; returns the reason."""
    answer, printed = child.pipes.values()
    asked = False
    with selectors.DefaultSelector() as selector:
        for descriptor in child.pipes:
            selector.register(descriptor, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select(TICK):
                if not receive(child, key.fd):
                    selector.unregister(key.fd)
            del printed[child.limits.output :]
            if answer and not asked:
                asked = True
                with contextlib.suppress(BrokenPipeError):  # it has ended already, or does not want to be asked
                    os.write(child.question, ask())
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                return how_it_ended(status)
            if reason := trespass(child, len(answer)):
                return reason
            if not selector.get_map():
                time.sleep(TICK)


def how_it_ended(status: int) -> str:
    if os.WIFEXITED(status):
        code = os.WEXITSTATUS(status)
        return "" if code == 0 else f"the process ended with exit code {code}"
    number = os.WTERMSIG(status)
    if number in (signal.SIGXCPU, signal.SIGKILL):
        return "the process was stopped by the system: it used up its time or its memory"
    return f"the process died of signal {SIGNALS.get(number, number)}"
