"""The one process that runs untrusted code: how it is born, what it has, and the pipes on which it is heard."""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lessons.exercises.grading.sandbox import calls, limits
from lessons.exercises.grading.sandbox.limits import MOST_DESCRIPTORS, Limits
from lessons.exercises.grading.sandbox.view import INSIDE
from lessons.exercises.grading.sandbox.wall import Room

PR_SET_PDEATHSIG = 1

Work = Callable[[Path, int, int], None]
"""What the child does, with its scratch folder and the file descriptors of its question and of its answer."""

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "Agg",
    "OMP_NUM_THREADS": "1",
    "FT_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    # Looking for plugins means reading every package's list of files.
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}


@dataclass
class Child:
    """One untrusted process, its room if there is one, our ends of its pipes, and what has come through them."""

    pid: int
    room: Room | None
    limits: Limits
    question: int
    pipes: dict[int, bytearray]
    started: float = field(default_factory=time.monotonic)

    def receive(self, descriptor: int) -> bool:
        """Takes what has come; False when there will be no more."""
        data = os.read(descriptor, 1 << 16)
        self.pipes[descriptor].extend(data)
        return bool(data)

    def end(self) -> None:
        """With all that came from it; without a room, with all that stayed in its group."""
        if self.room:
            self.room.close()
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left
                os.killpg(self.pid, signal.SIGKILL)


def start(work: Work, scratch: Path, room: Room | None, bounds: Limits) -> Child:
    question_read, question_write = os.pipe()
    answer_read, answer_write = os.pipe()
    output_read, output_write = os.pipe()
    mapped = limits.address_space()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setsid()
            end_with_parent()
            if room:
                room.enter()
                os.setsid()
                calls.refuse()
            settle(INSIDE if room else scratch, output_write, keep=(question_read, answer_write))
            limits.apply(bounds, mapped)
            if room:  # where the kernel counts only who is in it
                limits.lower(resource.RLIMIT_NPROC, bounds.threads)
            work(Path.cwd(), question_read, answer_write)
            code = 0
        except BaseException as error:  # nothing may unwind into the parent's own stack
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(code)
    for descriptor in (question_read, answer_write, output_write):
        os.close(descriptor)
    pipes = {answer_read: bytearray(), output_read: bytearray()}
    for descriptor in pipes:
        os.set_blocking(descriptor, False)
    return Child(pid, room, bounds, question_write, pipes)


def end_with_parent() -> None:
    """This process is killed when its parent ends. Linux only."""
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def settle(scratch: Path, output: int, keep: tuple[int, int]) -> None:
    """In its folder, with an environment of its own, without what the parent had open; prints go into `output`."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, target)
    low, high = sorted(keep)
    for first, last in ((3, low), (low + 1, high), (high + 1, MOST_DESCRIPTORS)):
        os.closerange(first, last)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w", buffering=1), open(2, "w", buffering=1)
    os.chdir(scratch)
    temporary = str(scratch / "tmp")
    os.environ.clear()
    os.environ.update(ENVIRONMENT, HOME=temporary, TMPDIR=temporary)
    tempfile.tempdir = temporary
    sys.dont_write_bytecode = True
