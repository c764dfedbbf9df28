"""Processes that are killed while they write: at every call of the file system, one by one, or at a random instant.

At a call the kill is played: that call and all that follow do nothing but raise. At random it is real: a fork gets SIGKILL.
"""

import builtins
import io
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CALLS = {
    io: ["open"],
    builtins: ["open"],
    os: ["open", "fsync", "replace", "rename", "unlink", "remove", "mkdir", "rmdir", "link", "symlink", "truncate"],
}
MOST = 200


def killed_at_every_call(before: Callable[[], Any], work: Callable[[], Any]) -> Iterator[int]:
    """For each call that has to do with files: `before`, then `work` that ends at that call, as if it were killed.

    No call after it is carried out, in a `finally` neither. Yields the call's number while everything lies as the kill
    left it, and stops when the work is done before its kill.
    """
    for call in range(MOST):
        before()
        try:
            with ended_at(call):
                work()
        except Killed:
            yield call
        else:
            return
    raise AssertionError(f"{MOST} calls, and the work is not done")


def killed_at_random(count: int, work: Callable[[], None], longest: float, seed: int = 0) -> Iterator[int]:
    """`count` times a process that does its work again and again, killed within `longest` seconds."""
    chance = random.Random(seed)
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            try:
                while True:
                    work()
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0, longest))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), "the work ended by itself, with an error"
        yield number


@pytest.fixture
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written outlives a process that is killed, also where it has not reached the disk yet."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


class Killed(BaseException):
    """This process is as good as dead."""


@contextmanager
def ended_at(call: int) -> Iterator[None]:
    """Inside, the call number `call` (from 0) that has to do with files raises Killed, and so does every one after it."""
    left = call

    def ending(really: Callable[..., Any]) -> Callable[..., Any]:
        def once(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return really(*arguments, **named)

        return once

    with pytest.MonkeyPatch.context() as patch:
        for module, names in CALLS.items():
            for name in names:
                patch.setattr(module, name, ending(getattr(module, name)))
        yield
