"""Several processes, one training: what `torchrun --nproc-per-node N` needs around a training step.

    L = mean over the N processes of  (sum over the tokens of its rows) / (tokens of the whole batch / N)

Each process holds the whole model and takes every N-th row of a batch; DistributedDataParallel takes the mean of the
gradients. So the loss, its gradient and the weights are those of one process.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

Row = TypeVar("Row")


@contextmanager
def process_group() -> Iterator[int]:
    """Joins the group that `torchrun` announces in the environment and leaves it at the end; yields this rank.

    Without `torchrun` there is one process, rank 0. NCCL is used with CUDA, gloo without.
    """
    if "WORLD_SIZE" not in os.environ:
        yield 0
        return
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield distributed.get_rank()
    finally:
        distributed.destroy_process_group()


class Processes:
    """This process among `count` of them; `rank` counts from 0. Alone, it does nothing."""

    def __init__(self) -> None:
        self.count = distributed.get_world_size() if distributed.is_initialized() else 1
        self.rank = distributed.get_rank() if self.count > 1 else 0

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model, whose gradients are from now on the mean over the processes."""
        return DistributedDataParallel(model) if self.count > 1 else model

    def rows(self, batch: list[Row]) -> list[Row]:
        """This process's rows of a batch; where there is none for it, one that counts for nothing (`tokens`)."""
        return batch[self.rank :: self.count] or batch[:1]

    def tokens(self, batch: list[int], count: int) -> float:
        """By what the loss of its rows is divided, so that the mean over the processes is the mean over `count` tokens.

        A process that has no row divides by infinity: its loss and its gradients are 0.
        """
        return count / self.count if batch[self.rank :: self.count] else float("inf")

    def mean(self, loss: Tensor) -> float:
        """The mean over the processes."""
        if self.count > 1:
            distributed.all_reduce(loss)
        return float(loss) / self.count
