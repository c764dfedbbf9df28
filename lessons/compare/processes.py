"""Running rows side by side: one process for each, and what a process says when it crashes."""

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import Field, asdict, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from rich.progress import Progress

from lessons.compare.kept_rows import read_kept
from lessons.compare.row import RowSetting
from transformer.learning.formats import read_json


class Setting(Protocol):
    """What decides a row: a dataclass that JSON can hold, and whose `name` is its file's."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def method(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def steps(self) -> int: ...

    @property
    def name(self) -> str: ...


Kind = TypeVar("Kind", bound=Setting)


class RowProcesses:
    """At most `jobs` rows at once. Leaving `running()` early, by Ctrl-C or an error, ends the processes; so does a kill of
    this one, after which nobody holds the other end of their stdin.

    `program`   the module that a row's process runs, with the row's setting, the folder and the row's name
    """

    def __init__(self, folder: Path, jobs: int, progress: Progress, program: str = "lessons.compare.row"):
        self.folder, self.progress, self.program = folder, progress, program
        self.pool = ThreadPoolExecutor(jobs)
        self.processes: set[subprocess.Popen[str]] = set()
        self.stopped = False

    @contextmanager
    def running(self) -> Iterator["RowProcesses"]:
        try:
            yield self
        finally:
            self.stopped = True
            self.pool.shutdown(wait=False, cancel_futures=True)
            for process in list(self.processes):
                process.kill()
            self.pool.shutdown(wait=True)

    def run(self, settings: Sequence[Kind]) -> Iterator[tuple[Kind, dict[str, Any]]]:
        """Each row as it is done; a row that crashed is {"method", "seed", "failed": its last words}."""
        waiting: dict[Future[dict[str, Any]], Kind] = {self.pool.submit(self.row, s): s for s in settings}
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield waiting.pop(future), future.result()

    def row(self, setting: Setting) -> dict[str, Any]:
        log = self.folder / "logs" / f"{setting.method}-{setting.seed}.txt"
        name = setting.name
        self.forget_others(setting)
        bar = self.progress.add_task(f"{setting.method} {setting.seed}", total=setting.steps, loss="starting")
        with log.open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", self.program, json.dumps(asdict(setting)), str(self.folder), name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment(),
                start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the others
            )
            self.processes.add(process)
            if self.stopped:
                process.kill()
            for line in process.stdout or ():
                step, loss = line.split()
                last = int(step) == setting.steps
                self.progress.update(bar, completed=int(step), loss="evaluating" if last else f"loss {float(loss):.3f}")
            code = process.wait()
            self.processes.discard(process)
            for pipe in filter(None, (process.stdin, process.stdout)):
                pipe.close()
        self.progress.remove_task(bar)
        if code:
            said = deque((line.strip() for line in log.open(encoding="utf-8") if line.strip()), maxlen=1)
            reason = said[0] if said else f"ended with exit code {code}"
            return {"method": setting.method, "seed": setting.seed, "failed": f"{reason} (all of it: {log})"}
        return read_json(self.folder / "rows" / f"{name}.json")

    def forget_others(self, setting: Setting) -> None:
        """A row's adapter takes the place of that technique's and seed's last one: so the last one's row goes too."""
        for file in (self.folder / "rows").glob(f"{setting.method}-{setting.seed}-*.json"):
            if file.stem != setting.name:
                file.unlink()


def rows_of_others(settings: Sequence[RowSetting], folder: Path) -> list[RowSetting | None]:
    """The settings of the rows in `folder` that are of none of `settings`; None for a row that does not say its own."""
    wanted = {f"{setting.name}.json" for setting in settings}
    others = [file for file in sorted((folder / "rows").glob("*.json")) if file.name not in wanted]
    return [setting_in(file) for file in others]


def setting_in(file: Path) -> RowSetting | None:
    """None where a file says none that is one of today's."""
    row = read_json(file)
    said = row.get("setting") if isinstance(row, dict) else None
    known = [field.name for field in fields(RowSetting)]
    if not isinstance(said, dict) or sorted(said) != sorted(known) or not isinstance(said["base"], str):
        return None
    return RowSetting(**said)


def read_row(setting: Setting, folder: Path, shape: Any) -> dict[str, Any] | None:
    """The row of exactly this setting, if it is there. Raises ValueError where it has not the shape (kept_rows.py)."""
    file = folder / "rows" / f"{setting.name}.json"
    if not file.is_file():
        return None
    row: dict[str, Any] = read_kept(file, shape)
    return row


def environment() -> dict[str, str]:
    """One thread for a row, and the same `lessons` and `peft` as here, wherever the command was called."""
    root = str(Path(__file__).resolve().parent.parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
