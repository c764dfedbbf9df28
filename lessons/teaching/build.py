"""Makes the lessons' notebooks from their sources, executed, with their figures.

python -m lessons.teaching.build               every lesson
python -m lessons.teaching.build 3 05_add_norm only these
python -m lessons.teaching.build --quick       run them with few words and steps, and keep nothing
python -m lessons.teaching.build --check       are the kept notebooks in step with their sources?
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from traitlets.config import Config

from lessons.teaching.notebooks import (
    LESSONS,
    first_line,
    notebook_of,
    out_of_step,
    read_lesson,
    sources,
    strip,
    write,
)

CELL_SECONDS = 600


def main(arguments: Sequence[str]) -> int:
    """0 when all went well, 1 when a lesson failed or is out of step; the others are done all the same."""
    options = parse(arguments)
    chosen = [
        source for source in sources() if not options.lessons or any(is_named(source, n) for n in options.lessons)
    ]
    for name in options.lessons:
        if not any(is_named(source, name) for source in sources()):
            raise ValueError(f"there is no lesson {name!r}; there are {', '.join(each.stem for each in sources())}")
    started = time.perf_counter()
    failures = check(chosen) if options.check else asyncio.run(build(chosen, options.quick, options.jobs))
    print(f"{len(chosen) - failures} of {len(chosen)} lessons are well, {time.perf_counter() - started:.0f} s")
    return int(failures > 0)


def is_named(source: Path, name: str) -> bool:
    """By its number, its whole name, or its file."""
    return Path(name).stem == source.stem or (name.isdecimal() and int(name) == int(source.stem[:2]))


def check(chosen: Sequence[Path]) -> int:
    complaints = {source.stem: found for source in chosen if (found := out_of_step(source))}
    for name, complaint in complaints.items():
        print(f"{name} {complaint}; `make notebooks` builds it")
    return len(complaints)


async def build(chosen: Sequence[Path], quick: bool, jobs: int) -> int:
    """Runs `jobs` lessons at a time; returns how many failed."""
    free = asyncio.Semaphore(jobs)

    async def one(number: int, source: Path) -> bool:
        async with free:
            before = time.perf_counter()
            notebook, failure = await execute(source, quick, threads=1 if jobs > 1 else None)
            if not failure and not quick:
                write(strip(notebook), notebook_of(source))
            took = time.perf_counter() - before
            print(f"[{number}/{len(chosen)}] {source.stem:<30}{took:6.1f} s  {failure or 'ok'}", flush=True)
            return bool(failure)

    return sum(await asyncio.gather(*(one(number, source) for number, source in enumerate(chosen, start=1))))


async def execute(source: Path, quick: bool, threads: int | None) -> tuple[NotebookNode, str]:
    """The lesson with its outputs, and what went wrong in words: which cell, which error."""
    notebook, at = read_lesson(source), [0]

    def remember(cell: NotebookNode, cell_index: int) -> None:
        at[0] = cell_index

    sockets = tempfile.TemporaryDirectory(prefix="lesson-")
    client = NotebookClient(
        notebook,
        config=private_channel(sockets.name),
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(LESSONS.parent)}},
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        on_cell_start=remember,
    )
    try:
        with sockets:
            await client.async_execute(env=environment(quick, threads))
    except CellExecutionError as error:
        return notebook, where(notebook, at[0], f"{error.ename}: {error.evalue}")
    except (CellControlSignal, DeadKernelError) as error:
        return notebook, where(notebook, at[0], str(error).partition("\n")[0])
    return notebook, ""


def private_channel(folder: str) -> Config:
    """Sockets in a folder of this lesson's own: two kernels that start at one time may choose the same free port."""
    return Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}})


def where(notebook: NotebookNode, index: int, message: str) -> str:
    return f"FAILED in cell {index + 1} ({first_line(notebook.cells[index].source)!r}): {message}"


def environment(quick: bool, threads: int | None) -> dict[str, str]:
    """The kernel's: figures go into the notebook whatever the terminal uses."""
    named = {"FT_QUICK": str(int(quick)), "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    alone = {} if threads is None else {"FT_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    return {**os.environ, **named, **alone}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lessons.teaching.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("lessons", nargs="*", metavar="NAME", help="a lesson's number or name (default: all)")
    parser.add_argument("--quick", action="store_true", help="few words and steps; the kept notebooks stay")
    parser.add_argument("--check", action="store_true", help="compare only; nothing is executed")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="lessons at a time, one thread each if several"
    )
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"--jobs is at least 1, not {options.jobs}")
    return options


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except ValueError as error:
        print(f"python -m lessons.teaching.build: {error}", file=sys.stderr)
        raise SystemExit(2) from None
