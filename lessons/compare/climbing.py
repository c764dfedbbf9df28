"""Many searches side by side: runs in processes of one thread, each kept as it ends; a new one begins as one is free."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import connection
from threading import Thread
from typing import Any, Protocol

from rich.progress import Progress

from lessons.language.message import in_language
from lessons.language.words import say
from lessons.task.machine import set_threads
from lessons.task.techniques import import_techniques

Measure = Callable[[str, float, int], Any]
"""(name, rate, seed) → what is found. It is called in another process: a function of a module, or a `partial` of one."""

Run = tuple[str, float, int]


class Work(Protocol):
    """What is to be run, and what was found: a search of rates (kept_rates.py) or a study's rows (study.py)."""

    @property
    def names(self) -> Iterable[str]: ...

    def wanted(self, name: str) -> list[tuple[float, int]]:
        """The (rate, seed) to run now, as far as what was found says; none when this name is done."""
        ...

    def add(self, name: str, rate: float, seed: int, found: Any) -> None:
        """Keeps one run. A text says why nothing was found."""
        ...

    def line(self, name: str, rate: float, seed: int, found: Any) -> str: ...

    def outcome(self, name: str) -> str: ...


def climb(kept: Work, measure: Measure, jobs: int, modules: Sequence[str] = ()) -> None:
    """Runs what `kept` wants, name by name, until it wants nothing more. What is stopped goes on from what is kept."""
    context = multiprocessing.get_context("spawn")  # a fork of a process that has used threads may hang
    with (
        ProcessPoolExecutor(jobs, context, begin_process, (modules,)) as pool,
        Progress() as progress,
    ):
        bar = progress.add_task(say("searching"), total=0)
        running: dict[Future[Any], Run] = {}

        def ask(name: str) -> None:
            """Which rate is next follows from all that were asked for: so a name waits for its own runs, and for no other's."""
            wanted = kept.wanted(name)
            for rate, seed in wanted:
                running[pool.submit(measured, measure, name, rate, seed)] = (name, rate, seed)
            progress.update(bar, total=(progress.tasks[0].total or 0) + len(wanted))
            if not wanted:
                progress.console.print(in_language(kept.outcome(name)), highlight=False, soft_wrap=True)

        try:
            for name in kept.names:
                ask(name)
            while running:
                for run in wait(running, return_when=FIRST_COMPLETED).done:
                    name, rate, seed = running.pop(run)
                    kept.add(name, rate, seed, run.result())
                    progress.advance(bar)
                    line = in_language(kept.line(name, rate, seed, run.result()))
                    progress.console.print(line, highlight=False, soft_wrap=True)
                    if name not in {waiting for waiting, _, _ in running.values()}:
                        ask(name)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.kill()
            raise


def begin_process(modules: Sequence[str]) -> None:
    """One thread; Ctrl-C is the parent's, which ends its processes; and they end with it when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=end_with_parent, daemon=True).start()
    set_threads(1)
    import_techniques(modules)


def end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def measured(measure: Measure, name: str, rate: float, seed: int) -> Any:
    """What is found, or why nothing is: a rate at which training breaks is a bad rate, and ends no search."""
    try:
        return measure(name, rate, seed)
    except (ArithmeticError, RuntimeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
