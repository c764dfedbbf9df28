"""Landlock: how a process on Linux gives up files without being root (https://docs.kernel.org/userspace-api/landlock.html).

After `restrict`, this process and all that come from it open nothing but what lies under the given paths, connect to
nothing by TCP, and signal or trace nobody outside.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PATH_BENEATH = 1
PR_SET_NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
ON_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights over files each version of the interface knows."""

kernel = ctypes.CDLL(None, use_errno=True)


class Ruleset(ctypes.Structure):
    """What is handled, which means: forbidden unless a rule allows it."""

    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("rights", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def version() -> int:
    """The interface's version, 0 where there is none: another system, an old kernel, a container that refuses it."""
    if os.uname().sysname != "Linux":
        return 0
    return max(0, kernel.syscall(CREATE_RULESET, None, 0, 1))


def restrict(readable: Iterable[Path], listable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Gives up everything else, for good. False where the system has no Landlock.

    `listable`   folders whose names may be seen, though not all that lies in them may be read
    """
    if not (abi := version()):
        return False
    every_right = (1 << FILE_RIGHTS.get(abi, 16)) - 1
    handled = Ruleset(every_right, 0b11 if abi >= 4 else 0, 0b11 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    rules = kernel.syscall(CREATE_RULESET, ctypes.byref(handled), size, 0)
    checked(rules)
    for path in readable:
        allow(rules, path, READ_FILE | READ_DIR | EXECUTE)
    for path in listable:
        allow(rules, path, READ_DIR)
    for path in writable:
        allow(rules, path, every_right)
    checked(kernel.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    checked(kernel.syscall(RESTRICT_SELF, rules, 0))
    os.close(rules)
    return True


def allow(rules: int, path: Path, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # it is gone since the paths were collected: there is nothing to allow
    rule = PathBeneath(rights if path.is_dir() else rights & ON_A_FILE, beneath)
    checked(kernel.syscall(ADD_RULE, rules, PATH_BENEATH, ctypes.byref(rule), 0))
    os.close(beneath)


def checked(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"landlock: {os.strerror(ctypes.get_errno())}")
