"""Several processes, one training: the same global batches give the same losses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.transformer import small
from tests.transformer.reversal import fresh_model, pairs, settings
from transformer import epoch_batches, load_model, train
from transformer.learning.distributed import process_group

ROOT = Path(__file__).resolve().parents[2]


def test_two_processes_give_the_losses_and_the_weights_of_one(tmp_path):
    alone = fresh_model(dropout=0.0).double()
    wanted = train(alone, pairs(), settings(8, first_position=5))
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

    run = subprocess.run(
        [sys.executable, *torchrun, "-m", "tests.transformer.reversal", str(tmp_path), "8"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert run.returncode == 0, run.stderr[-3000:]
    assert json.loads((tmp_path / "losses.json").read_text()) == pytest.approx(wanted, rel=1e-9)
    small.assert_equal(load_model(tmp_path).state_dict(), alone.float().state_dict(), atol=1e-6, rtol=1e-6)


def test_one_of_these_batches_has_fewer_rows_than_processes():
    sizes = [len(batch) for batch in epoch_batches(pairs(), max_tokens=40, seed=0, epoch=0)]

    assert min(sizes) == 1
    assert len(sizes) <= 8


def test_without_torchrun_there_is_one_process_and_no_group(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)

    with process_group() as rank:
        assert rank == 0
