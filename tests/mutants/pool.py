"""Forked children, some at a time: each does one piece of work, answers with one line, and is ended when it takes too long.

Too long is told in processor time: other work on the machine must not make a mutant look caught. A child that only waits
is ended after some times as long by the clock.
"""

import math
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

Work = TypeVar("Work")
TIMED_OUT, DIED = "timed out", "died"
PATIENCE = 8  # seconds by the clock for each second of processor time


@dataclass
class Child:
    pid: int
    answer: int
    deadline: float  # by the clock
    text: bytes = b""


def forked(
    work: Iterable[Work], do: Callable[[Work], str], limit: Callable[[Work], float], jobs: int
) -> Iterator[tuple[Work, str, float]]:
    """Every piece of work with its answer and its seconds, as they are done; `do` runs in a fork of this process.

    `limit`   seconds of processor time
    """
    waiting, running = iter(work), {}
    more = True
    while more or running:
        while more and len(running) < jobs:
            try:
                piece = next(waiting)
            except StopIteration:
                more = False
                break
            child = started(do, piece, limit(piece))
            running[child.answer] = (piece, child, time.monotonic())
        for end in select.select(list(running), [], [], 0.2)[0]:
            _, child, _ = running[end]
            got = os.read(end, 65536)
            child.text += got
            if not got:
                child.deadline = 0.0
        for end, (piece, child, begun) in list(running.items()):
            if time.monotonic() > child.deadline:
                del running[end]
                yield piece, ended(child), time.monotonic() - begun


def started(do: Callable[[Work], str], piece: Work, limit: float) -> Child:
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return Child(pid, read, time.monotonic() + PATIENCE * limit)
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit), math.ceil(limit) + 1))
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        os.write(write, do(piece).encode())
    finally:
        os._exit(0)


def ended(child: Child) -> str:
    """The child's answer; its whole process group is gone afterwards."""
    finished = child.deadline == 0.0
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    _, status = os.waitpid(child.pid, 0)
    os.close(child.answer)
    late = not finished or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU)
    return child.text.decode() or (TIMED_OUT if late else DIED)
