"""Threads: those that are named, else every core; the processes of one training share the cores among them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lessons.task import machine
from lessons.task.cores import cores
from lessons.task.machine import set_threads

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.delenv("FT_THREADS", raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    monkeypatch.setattr(machine, "cores", lambda: 8)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("processes", "threads"), [(None, 8), ("1", 8), ("2", 4), ("3", 2), ("16", 1)], ids=lambda value: f"{value}"
)
def test_processes_share_the_cores(processes, threads, monkeypatch):
    if processes:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)

    assert set_threads() == threads == torch.get_num_threads()


def test_what_is_named_counts_for_each_process(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("FT_THREADS", "3")

    assert (set_threads(), set_threads(5)) == (3, 5)


@pytest.mark.slow
def test_two_processes_of_torchrun_have_no_more_threads_than_there_are_cores(tmp_path):
    script = tmp_path / "threads.py"
    script.write_text("from lessons.task.machine import set_threads; print('threads', set_threads(), flush=True)")
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]

    run = subprocess.run(
        start, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300, check=True
    )

    assert run.stdout.split().count("threads") == 2
    assert {int(word) for word in run.stdout.split() if word.isdigit()} == {max(1, cores() // 2)}
