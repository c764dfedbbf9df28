"""Several processes, one training: what `torchrun --nproc-per-node N` needs around `train`.

Each process holds the whole model and a share of every batch; DistributedDataParallel averages their gradients.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as distributed


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
