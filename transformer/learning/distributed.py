"""Several processes, one training: what `torchrun --nproc-per-node N` needs around a training step.

    L = mean over the N processes of  (sum over the tokens of its rows) / (tokens of the whole batch / N)

Each process takes every N-th row of a batch, and holds the whole model or a share of it (sharding.py);
DistributedDataParallel, or `fully_shard`, takes the mean of the gradients. So the loss, its gradient and the weights are
those of one process.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

Row = TypeVar("Row")
Groups = list[dict[str, Any]]

LEAVING = 0.5
"""Seconds in which gloo's threads, which DistributedDataParallel and `fully_shard` keep alive beyond the group, let go of their
last tensors. They need Python for it: where that is ending already, they abort the process."""


@contextmanager
def process_group() -> Iterator[int]:
    """Joins the group that `torchrun` announces in the environment and leaves it at the end; yields this rank.

    Without `torchrun` there is one process, rank 0. NCCL is used with CUDA, a GPU for each process; gloo without.

    Raises ValueError where this machine has more processes than GPUs.
    """
    if "WORLD_SIZE" not in os.environ:
        yield 0
        return
    if torch.cuda.is_available():
        own, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if own >= there:
            raise ValueError(
                f"process {own + 1} of this machine finds {there} GPUs: start torchrun with --nproc-per-node {there}"
            )
        torch.cuda.set_device(own)
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield distributed.get_rank()
    finally:
        distributed.destroy_process_group()
        time.sleep(LEAVING)


class Processes:
    """This process among `count` of them; `rank` counts from 0. Alone, it does nothing."""

    def __init__(self) -> None:
        self.count = distributed.get_world_size() if distributed.is_initialized() else 1
        self.rank = distributed.get_rank() if self.count > 1 else 0

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model, whose gradients are from now on the mean over the processes.

        Its buffers are alike and stay so: a base in four bits would else travel in every step.
        """
        return DistributedDataParallel(model, broadcast_buffers=False) if self.count > 1 else model

    def shard(self, network: nn.Module, groups: Groups) -> Groups:
        """Shares the network among the processes, in place; the optimizer's groups of what each then keeps (sharding.py).

        Raises ValueError where there is one process.
        """
        if self.count == 1:
            raise ValueError("a model is shared among several processes: start them with torchrun --nproc-per-node N")
        from transformer.learning.sharding import shard  # imported here, as it takes two seconds

        return shard(network, groups)

    def parts(self, rows: int, count: int) -> list[list[int]]:
        """The numbers of this process's rows of a batch, in at most `count` parts.

        All processes have as many parts, as they meet in each of them; what an empty part computes counts for nothing.
        """
        own, most = (in_parts(range(rows)[rank :: self.count], count) for rank in (self.rank, 0))
        return [list(part) for part in own] + [[]] * (len(most) - len(own))

    def tokens(self, count: int) -> float:
        """By what the loss of its rows is divided, so that the mean over the processes is the mean over `count` tokens."""
        return count / self.count

    def mean(self, loss: Tensor) -> float:
        """The mean over the processes."""
        if self.count > 1:
            distributed.all_reduce(loss)
        return float(loss) / self.count


def in_parts(rows: Sequence[Row], count: int) -> list[Sequence[Row]]:
    """The rows of a batch in at most `count` parts, none empty."""
    size = max(1, -(-len(rows) // count))
    return [rows[start : start + size] for start in range(0, len(rows), size)]
