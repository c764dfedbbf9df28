"""The machine: how many threads, which device, whether bf16 pays, how much memory was held. Threads are set here and nowhere else."""

import os
import sys

import torch

from lessons.task.cores import cores


def set_threads(count: int | None = None) -> int:
    """Uses `count` threads, else what FT_THREADS says, else every core this process may use; returns the number.

    Under `torchrun` the processes of a machine share its cores: together they have no more threads than there are.
    """
    named = os.environ.get("FT_THREADS")
    try:
        threads = count or (int(named) if named else max(1, cores() // processes_here()))
    except ValueError as error:
        raise ValueError(f"FT_THREADS must be a number of threads, not {named!r}") from error
    if threads < 1:
        raise ValueError(f"the number of threads must be at least 1, not {threads}")
    torch.set_num_threads(threads)
    return threads


def processes_here() -> int:
    """Processes of one training on this machine, as `torchrun` announces them; else this one alone."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def best_device() -> torch.device:
    """CUDA, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def bf16_pays(device: torch.device | None = None) -> bool:
    """True where the processor multiplies bf16 matrices in hardware; elsewhere bf16 is slower than fp32."""
    device = device or best_device()
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    if device.type != "cpu":
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def peak_memory() -> int:
    """The most memory that this process ever held, in bytes."""
    import resource  # Windows has none, and needs none but here

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
