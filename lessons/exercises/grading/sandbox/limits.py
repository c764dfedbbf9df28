"""What a job may use, set by the kernel's own counters (`man setrlimit`)."""

import resource
from dataclasses import dataclass
from pathlib import Path

MEGABYTE = 1 << 20
MOST_DESCRIPTORS = 4096


@dataclass(frozen=True)
class Limits:
    """Bytes of `memory` are beyond what the process has when the limits are set.

    `seconds`         of processor time; by the clock a job may take `PATIENCE` times as long, more on a busy machine
    `disk`, `files`   what may lie in the scratch folder in all
    `output`          how much of what the process prints is kept
    """

    seconds: float = 20.0
    memory: int = 1024 * MEGABYTE
    disk: int = 32 * MEGABYTE
    files: int = 500
    threads: int = 32
    output: int = 16 * 1024


def address_space() -> int:
    """The bytes of address space that this process has mapped; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[0]) * resource.getpagesize() if statm.exists() else 0


def apply(limits: Limits, mapped: int) -> None:
    """For the rest of this process's life, which has `mapped` bytes of address space."""
    lower(resource.RLIMIT_CORE, 0)
    lower(resource.RLIMIT_CPU, int(limits.seconds) + 1)
    lower(resource.RLIMIT_FSIZE, limits.disk)
    lower(resource.RLIMIT_NOFILE, 64)
    if mapped:
        lower(resource.RLIMIT_AS, mapped + limits.memory)


def lower(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))
