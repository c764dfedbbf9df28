"""Programs against each other, by turns in one process: whatever slows the machine slows them alike."""

import platform
import statistics
import time
from collections.abc import Callable

import torch

from lessons.task.machine import bf16_pays, set_threads

Seconds = dict[str, list[float]]


def machine() -> str:
    """Sets the number of threads (FT_THREADS, else every core) and says on what the figures were taken."""
    threads = set_threads()
    bf16 = "bf16 in hardware" if bf16_pays(torch.device("cpu")) else "no bf16 in hardware"
    return f"{threads} threads, {bf16}, torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}"


def by_turns(programs: dict[str, Callable[[], object]], rounds: int, warm_up: int = 2) -> Seconds:
    """Each round calls every program once, beginning with another one each time; what they took, round by round.

    With one thread these are the processor's seconds, which a busy machine leaves as they are; with more, the clock's.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    seconds: Seconds = {name: [] for name in programs}
    order = list(programs)
    for done in range(warm_up + rounds):
        for name in order:
            start = clock()
            programs[name]()
            if done >= warm_up:
                seconds[name].append(clock() - start)
        order = [*order[1:], order[0]]
    return seconds


def ratio(seconds: Seconds, name: str, other: str) -> float:
    """The median over the rounds of one program's time divided by the other's."""
    return statistics.median(ours / theirs for ours, theirs in zip(seconds[name], seconds[other]))


def milliseconds(seconds: Seconds, name: str) -> float:
    return 1e3 * statistics.median(seconds[name])
