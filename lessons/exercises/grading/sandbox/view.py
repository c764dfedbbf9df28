"""What a sandboxed process may see of the disk: Python, its packages and the system's libraries, never our own source."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SYSTEM = (
    "/usr /lib /lib64 /System /Library /etc/ld.so.cache /etc/localtime /dev/null /dev/zero /dev/urandom /dev/random "
    "/proc/cpuinfo /proc/meminfo /sys/devices/system/cpu"
)


@dataclass(frozen=True)
class View:
    """`readable` with all that lies beneath, `listable` by name only."""

    readable: tuple[Path, ...]
    listable: tuple[Path, ...]


def view_without(secrets: Iterable[Path], checkout: Path | None = None) -> View:
    """Everything that a Python process needs, but for the secrets. Of a checkout only an environment inside it is seen."""
    hidden = [path.resolve() for path in secrets]
    roots = [Path(name).resolve() for name in (*SYSTEM.split(), sys.prefix, sys.base_prefix, *sys.path) if name]
    readable: list[Path] = []
    listable: list[Path] = []
    for root in dict.fromkeys(root for root in roots if root.exists() and root != checkout):
        carve(root, hidden, readable, listable)
    return View(tuple(readable), tuple(listable))


def carve(path: Path, hidden: Sequence[Path], readable: list[Path], listable: list[Path]) -> None:
    """Splits a folder that holds a secret into its parts, until each part is all secret or not at all."""
    if any(path.is_relative_to(secret) for secret in hidden):
        return
    if any(secret.is_relative_to(path) for secret in hidden):
        listable.append(path)
        for part in path.iterdir():
            if not part.is_symlink():
                carve(part, hidden, readable, listable)
    else:
        readable.append(path)
