"""Comparing with Hugging Face's libraries and bitsandbytes: they run in a process and an environment of their own.

`second_python`   runs one of the *_runner.py here under the second Python and returns the folder that it filled
`row`             notes one comparison; all of them are printed as a table when the tests are done
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

HERE = Path(__file__).resolve().parent
ROW = "a comparison"
"""What a report keeps it under: reports come back from every process that runs tests."""


def parity_python() -> Path:
    return Path(os.environ.get("FT_PARITY_PYTHON", HERE.parent.parent / ".venv-parity" / "bin" / "python"))


@pytest.fixture(scope="session")
def second_python(tmp_path_factory) -> Callable[..., Path]:
    """`second_python("models", job, folder)` runs models_runner.py; without `folder` it works in an empty one."""
    python = parity_python()
    if not python.is_file():
        pytest.skip(f"there is no {python}: make parity, or set FT_PARITY_PYTHON")

    def run(runner: str, job: Any, folder: Path | None = None) -> Path:
        folder = folder or tmp_path_factory.mktemp(runner)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "OMP_NUM_THREADS": "1"}
        # -I: neither the folder it is started in nor PYTHONPATH can put our own peft in the place of HF's
        command = [str(python), "-I", str(HERE / f"{runner}_runner.py"), str(folder)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1800)
        if done.returncode:
            pytest.fail(f"{runner}_runner.py failed:\n{done.stderr[-4000:]}")
        return folder

    return run


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Several threads only wait for each other on models as small as these."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def row(request) -> Callable[[str, str, float | str], None]:
    """`row(technique, direction, difference)`: the difference is a number, or a word such as "equal"."""

    def note(technique: str, direction: str, difference: float | str) -> None:
        text = difference if isinstance(difference, str) else f"{difference:.1e}"
        request.node.user_properties.append((ROW, (technique, direction, text)))

    return note


def pytest_terminal_summary(terminalreporter) -> None:
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    reports.sort(key=lambda report: report.location[0])
    rows = [row for report in reports for key, row in report.user_properties if key == ROW]
    if not rows:
        return
    table = [("technique", "direction", "largest difference"), *rows]
    widths = [max(len(line[column]) for line in table) for column in range(3)]
    terminalreporter.section("parity with transformers, Hugging Face PEFT and bitsandbytes")
    for line in table:
        terminalreporter.write_line("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
