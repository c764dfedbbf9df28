"""How many cores this process may really use: neither a batch system's share nor a container's quota shows in os.cpu_count."""

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def cores() -> int:
    """Those that it may run on, but no more than its quota of processor time fills; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, round(quota())))


def quota(root: Path = CGROUPS) -> float:
    """Seconds of processor time for each second of the clock, by this process's group and all above it (`man 7 cgroups`)."""
    smallest = 2.0**16
    for group in groups(root):
        try:
            if (group / "cpu.max").is_file():
                share, period = (group / "cpu.max").read_text().split()
            else:
                share = (group / "cpu.cfs_quota_us").read_text().strip()
                period = (group / "cpu.cfs_period_us").read_text()
        except (OSError, ValueError):
            continue
        if share.isdecimal():  # and not "max", nor -1
            smallest = min(smallest, int(share) / int(period))
    return smallest


def groups(root: Path) -> list[Path]:
    """The folders that may hold a quota, in version 2 of the interface and in version 1."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers or "cpu" in controllers.split(","):
            top = root if not controllers else root / "cpu"
            group = top / path.lstrip("/")
            found += [folder for folder in (group, *group.parents) if folder.is_relative_to(top)]
    return found
