"""Many searches side by side: runs in processes of one thread, each kept as it ends; a new one begins as one is free."""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from statistics import mean

from rich.progress import Progress

from lessons.compare.kept_rates import KeptRates
from lessons.task.machine import set_threads
from lessons.task.techniques import import_techniques

Measure = Callable[[str, float, int], float]
"""(name, rate, seed) → error. It is called in another process: a function of a module, or a `partial` of one."""

Run = tuple[str, float, int]


def climb(kept: KeptRates, measure: Measure, jobs: int, modules: Sequence[str] = ()) -> None:
    """Runs what `kept` wants, name by name, until it wants nothing more. What is stopped goes on from what is kept."""
    context = multiprocessing.get_context("spawn")  # a fork of a process that has used threads may hang
    with (
        ProcessPoolExecutor(jobs, context, begin_process, (modules,)) as pool,
        Progress() as progress,
    ):
        bar = progress.add_task("searching", total=0)
        running: dict[Future[float | str], Run] = {}

        def ask(name: str) -> None:
            """Which rate is next follows from all that were asked for: so a name waits for its own runs, and for no other's."""
            wanted = kept.wanted(name)
            for rate, seed in wanted:
                running[pool.submit(measured, measure, name, rate, seed)] = (name, rate, seed)
            progress.update(bar, total=(progress.tasks[0].total or 0) + len(wanted))
            if not wanted:
                progress.console.print(outcome(kept, name), highlight=False, soft_wrap=True)

        try:
            for name in kept.settings:
                ask(name)
            while running:
                for run in wait(running, return_when=FIRST_COMPLETED).done:
                    name, rate, seed = running.pop(run)
                    kept.add(name, rate, seed, run.result())
                    progress.advance(bar)
                    progress.console.print(line(name, rate, seed, run.result()), highlight=False, soft_wrap=True)
                    if name not in {waiting for waiting, _, _ in running.values()}:
                        ask(name)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.kill()
            raise


def begin_process(modules: Sequence[str]) -> None:
    """One thread; Ctrl-C is the parent's, which ends its processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_threads(1)
    import_techniques(modules)


def measured(measure: Measure, name: str, rate: float, seed: int) -> float | str:
    """The error, or why there is none: a rate at which training breaks is a bad rate, and ends no search."""
    try:
        return float(measure(name, rate, seed))
    except (ArithmeticError, RuntimeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def line(name: str, rate: float, seed: int, error: float | str) -> str:
    said = f"{error:.4f}" if isinstance(error, float) else f"failed: {error}"
    return f"{name:18} {rate:<7g} seed {seed}  {said}"


def outcome(kept: KeptRates, name: str) -> str:
    """What is said when a search is over."""
    tried, best = kept.tried(name), kept.entries[name].get("best")
    between = f"of {len(tried)} rates from {min(tried):g} to {max(tried):g}"
    if best is None:
        return f"{name:18} no rate {between} is better than those beside it: its recipe's `rates` may be wrong"
    return f"{name:18} best {best:g}, {between}: {mean(tried[best].values()):.4f} over {len(tried[best])} seeds"
