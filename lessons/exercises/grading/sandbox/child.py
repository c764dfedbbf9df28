"""The one process that runs untrusted code: how it is born, and the pipes on which it is heard."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lessons.exercises.grading.sandbox import processes
from lessons.exercises.grading.sandbox.confined import give_up_everything
from lessons.exercises.grading.sandbox.limits import Limits
from lessons.exercises.grading.sandbox.view import View

Work = Callable[[int, int], None]
"""What the child does, with the file descriptors of its question and of its answer."""


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
