"""Processes that end with the one that started them, however that ended: a row that nobody waits for takes no core for hours.

The system closes a pipe when the process that held it ends, so a thread that waits for the pipe's end knows. That holds
everywhere. (The sandbox of the exercises asks Linux's kernel instead: a thread could be stopped by the code that it watches.)

    with process_pool(jobs) as pool: ...                       a pool whose processes end with this one
    Popen([sys.executable, ...], stdin=subprocess.PIPE)        and there, first of all: end_with_parent()
"""

import multiprocessing
import os
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def end_with_parent() -> None:
    """From here on this process ends when its parent has. A program that was not started on a pipe runs on by itself."""
    if multiprocessing.parent_process() or stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=wait_and_end, daemon=True).start()


def wait_and_end() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
    else:
        while os.read(0, 1024):
            continue
    os._exit(1)


def process_pool(jobs: int, start: Callable[..., Any] | None = None, *arguments: Any) -> ProcessPoolExecutor:
    """Up to `jobs` fresh processes, each of which begins with `start(*arguments)` and ends with this one."""
    context = multiprocessing.get_context("spawn")  # a fork of a process that has used threads may hang
    return ProcessPoolExecutor(jobs, context, begin, (start, arguments))


def begin(start: Callable[..., Any] | None, arguments: tuple[Any, ...]) -> None:
    end_with_parent()
    if start:
        start(*arguments)
