"""A process that was started for somebody ends with them, even when they are killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

STAYS = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(600)"
ROW = f"from lessons.task.parent import end_with_parent; end_with_parent(); {STAYS}"
STARTS_A_ROW = (
    f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {ROW!r}], stdin=subprocess.PIPE).wait()"
)
STARTS_A_POOL = f"""
import sys, time
from lessons.task.parent import process_pool
if __name__ == "__main__":
    with process_pool(1, exec, {STAYS!r}) as pool:
        pool.submit(int).result()
"""
COMPARES = """
import json, sys
from pathlib import Path
from lessons.compare.processes import RowProcesses
from lessons.compare.row import RowSetting
from lessons.drawing.progress import progress_bars
folder = Path(sys.argv[1])
setting = RowSetting("lora", 0, 100_000, 1e-3, 5, 20, "")
with progress_bars(quiet=True) as progress, RowProcesses(folder, 1, progress).running() as processes:
    processes.progress.update = lambda *_, **__: print(*[each.pid for each in processes.processes], flush=True)
    for _ in processes.run([setting]):
        pass
"""


def child_of(program: Path, *arguments: str) -> tuple[subprocess.Popen[str], int]:
    """A running program, and the number of the process that it has started, which it prints."""
    command = [sys.executable, str(program), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    assert parent.stdout
    return parent, int(parent.stdout.readline())


def is_gone(process: int, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{process}/stat")
        if state.exists() and " Z " in state.read_text():  # ended, and nobody has asked for its code
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    "program",
    [STARTS_A_ROW, pytest.param(STARTS_A_POOL, marks=pytest.mark.slow), pytest.param(COMPARES, marks=pytest.mark.slow)],
    ids=["pipe", "pool", "compare"],
)
def test_it_ends_when_its_parent_is_killed(tmp_path: Path, program: str) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "program.py").write_text(program)
    parent, child = child_of(tmp_path / "program.py", str(tmp_path))
    os.kill(child, 0)

    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    gone = is_gone(child)
    if not gone:
        os.kill(child, signal.SIGKILL)

    assert gone


def test_a_program_that_nobody_started_on_a_pipe_runs_to_its_end() -> None:
    code = "from lessons.task.parent import end_with_parent; end_with_parent(); import time; time.sleep(0.3); print('done')"
    run = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT
    )

    assert (run.returncode, run.stdout) == (0, "done\n")


def test_a_process_of_a_pool_begins_as_it_is_told() -> None:
    code = """
from lessons.task.parent import process_pool
import os
if __name__ == "__main__":
    with process_pool(1, os.putenv, "A", "b") as pool:
        print(pool.submit(len, "four").result())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)

    assert run.stdout == "4\n", run.stderr
