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
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lessons.exercises.grading.sandbox import processes
from lessons.exercises.grading.sandbox.confined import give_up_everything
from lessons.exercises.grading.sandbox.limits import MEGABYTE, Limits
from lessons.exercises.grading.sandbox.view import View

LONGEST_ANSWER = 64 * MEGABYTE
TICK = 0.05

Work = Callable[[int, int], None]
"""What the child does, with the file descriptors of its question and of its answer."""


@dataclass
class Outcome:
    """`ended` is empty when the child went away by itself with exit code 0, else the reason in words."""

    answer: bytes = b""
    printed: bytes = b""
    ended: str = ""
    seconds: float = 0.0


@dataclass
class Child:
    """One untrusted process, the warden's ends of its pipes, and what has come through them."""

    pid: int
    question: int
    pipes: dict[int, bytearray]
    scratch: Path
    limits: Limits
    resident_at_start: int
    started: float = field(default_factory=time.monotonic)


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


def start(work: Work, scratch: Path, view: View, bounds: Limits) -> Child:
    question_read, question_write = os.pipe()
    answer_read, answer_write = os.pipe()
    output_read, output_write = os.pipe()
    resident = processes.resident_bytes({os.getpid()})
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            give_up_everything(scratch, view, bounds, output_write, keep={question_read, answer_write})
            work(question_read, answer_write)
            code = 0
        except BaseException as error:  # nothing may unwind into the warden's own stack
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(code)
    for descriptor in (question_read, answer_write, output_write):
        os.close(descriptor)
    pipes = {answer_read: bytearray(), output_read: bytearray()}
    for descriptor in pipes:
        os.set_blocking(descriptor, False)
    return Child(pid, question_write, pipes, scratch, bounds, resident)


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


def receive(child: Child, descriptor: int) -> bool:
    """Takes what has come; False when there will be no more."""
    data = os.read(descriptor, 1 << 16)
    child.pipes[descriptor].extend(data)
    return bool(data)


def receive_all(child: Child) -> None:
    """What is still in the pipes when everybody who could write is dead."""
    for descriptor in child.pipes:
        while receive(child, descriptor):
            continue


def how_it_ended(status: int) -> str:
    if os.WIFEXITED(status):
        code = os.WEXITSTATUS(status)
        return "" if code == 0 else f"the process ended with exit code {code}"
    number = os.WTERMSIG(status)
    if number in (signal.SIGXCPU, signal.SIGKILL):
        return "the process was stopped by the system: it used up its time or its memory"
    return f"the process died of signal {signal.Signals(number).name}"


def trespass(child: Child, answered: int) -> str:
    """What the child does that it may not, in words."""
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
