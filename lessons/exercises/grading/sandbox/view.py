"""What a room looks like from inside, as bubblewrap's arguments (`man bwrap`).

    /usr, Python, its packages    read-only, without the solutions
    /exercise, /exercise/tmp      the job's folder, read-only, and a scratch folder that holds so many bytes and no more
    /dev                          null, zero, random

There is no /proc, no /sys, no home, no checkout.
"""

import itertools
import os
import site
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from lessons.exercises.grading.sandbox.limits import Limits

SYSTEM = "/usr /bin /lib /lib32 /lib64 /etc/ld.so.cache /etc/localtime"
DEVICES = "/dev/null /dev/zero /dev/random /dev/urandom"
INSIDE = Path("/exercise")
"""The job's scratch folder, as the room has it."""

NAMESPACES = (
    "--unshare-all --unshare-user --disable-userns --uid 1000 --gid 1000 --cap-drop ALL "
    "--die-with-parent --new-session --clearenv"
)


def readable() -> Iterator[Path]:
    """The system's libraries, Python, and Python's packages."""
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    for name in (*SYSTEM.split(), sys.base_prefix, sys.prefix, *site.getsitepackages(), *user):
        if Path(name).exists():
            yield Path(name)


def own_device(scratch: Path, device: str) -> Path:
    """One that may be spoiled. Who may not make one is not root, and cannot change the machine's either."""
    own = scratch / device.lstrip("/")
    own.parent.mkdir(exist_ok=True)
    try:
        os.mknod(own, stat.S_IFCHR | 0o666, os.stat(device).st_rdev)
        os.close(os.open(own, os.O_RDONLY))
    except PermissionError:
        return Path(device)
    return own


def room_arguments(scratch: Path, hidden: Sequence[Path], bounds: Limits) -> list[str]:
    """What bubblewrap is told. `hidden` is what lies among the readable and must not be seen."""
    told = NAMESPACES.split()
    seen = {root: root.resolve() for root in readable()}
    for place, root in seen.items():
        told += ["--ro-bind", str(root), str(place)]
    for path, (place, root) in itertools.product(hidden, seen.items()):
        if path.is_relative_to(root):
            there = str(place / path.relative_to(root))
            told += ["--tmpfs", there, "--remount-ro", there] if path.is_dir() else ["--ro-bind", os.devnull, there]
    for device in DEVICES.split():
        told += ["--dev-bind", str(own_device(scratch, device)), device]
    told += ["--ro-bind", str(scratch), str(INSIDE), "--size", str(bounds.disk), "--tmpfs", str(INSIDE / "tmp")]
    return [*told, "--remount-ro", "/"]
