"""Several processes, one training: the same global batches give the same losses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.transformer import small
from tests.transformer.reversal import fresh_model, pairs, settings
from transformer import epoch_batches, load_model, train
from transformer.learning import distributed
from transformer.learning.distributed import process_group

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
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


MODEL = torch.nn.Linear(1, 1)


class Averaged(torch.nn.Module):
    """What stands for DistributedDataParallel."""

    def __init__(self, model: torch.nn.Module, *, broadcast_buffers: bool):
        super().__init__()
        assert not broadcast_buffers
        self.model = model


class Group:
    """torch.distributed, of which the process with `rank` of `count` asks; it notes what is done."""

    def __init__(self, rank: int, count: int):
        self.rank, self.count, self.done = rank, count, []

    def is_initialized(self) -> bool:
        return True

    def get_world_size(self) -> int:
        return self.count

    def get_rank(self) -> int:
        return self.rank

    def all_reduce(self, tensor: torch.Tensor) -> None:
        tensor.mul_(self.count)

    def init_process_group(self, kind: str) -> None:
        self.done.append(kind)

    def destroy_process_group(self) -> None:
        self.done.append("left")


@pytest.mark.parametrize(("rank", "count"), [(0, 2), (1, 2), (2, 3)])
def test_a_process_among_several_knows_its_number_and_shares_gradients(rank, count, monkeypatch):
    monkeypatch.setattr(distributed, "distributed", Group(rank, count))
    monkeypatch.setattr(distributed, "DistributedDataParallel", Averaged)
    processes = distributed.Processes()

    assert (processes.rank, processes.count) == (rank, count)
    assert processes.parallel(MODEL).model is MODEL
    assert processes.tokens(12) == 12 / count
    assert processes.mean(torch.tensor(3.0)) == 3.0
    assert processes.parts(7, 2)[0][0] == rank


def test_the_rows_of_a_batch_are_dealt_out_and_all_have_as_many_parts(monkeypatch):
    parts = []
    for rank in range(2):
        monkeypatch.setattr(distributed, "distributed", Group(rank, 2))
        parts.append([distributed.Processes().parts(rows, 3) for rows in (1, 5, 8)])

    assert parts[0] == [[[0]], [[0], [2], [4]], [[0, 2], [4, 6]]]
    assert parts[1] == [[[]], [[1], [3], []], [[1, 3], [5, 7]]]


def test_alone_it_does_nothing():
    processes = distributed.Processes()

    assert (processes.rank, processes.count, processes.parallel(MODEL)) == (0, 1, MODEL)
    assert processes.mean(torch.tensor(3.0)) == 3.0
    with pytest.raises(ValueError, match="torchrun"):
        processes.shard(torch.nn.Linear(1, 1), [])


@pytest.mark.parametrize(("gpus", "done"), [(0, ["gloo", "left"]), (2, ["GPU 1", "nccl", "left"])])
def test_a_group_is_joined_and_left_with_a_gpu_for_each_process(gpus, done, monkeypatch):
    group, slept = Group(1, 2), []
    monkeypatch.setattr(distributed, "distributed", group)
    monkeypatch.setattr(distributed.time, "sleep", slept.append)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", lambda number: group.done.append(f"GPU {number}"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")

    with process_group() as rank:
        assert (rank, group.done) == (1, done[:-1])

    assert group.done == done
    assert slept == [distributed.LEAVING]


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")

    with pytest.raises(ValueError, match="process 2 of this machine finds 1 GPUs"), process_group():
        pass
