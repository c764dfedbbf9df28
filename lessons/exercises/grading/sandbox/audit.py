"""Python's audit events as a second fence: the only one on systems that have neither Landlock nor seccomp.

A hook once added cannot be taken away. It refuses files outside the given folders, other processes, sockets, signals,
foreign code through ctypes, and attempts to change the hook itself.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

REFUSED = frozenset(
    "os.fork os.forkpty os.exec os.posix_spawn os.spawn os.system os.kill os.killpg os.startfile subprocess.Popen "
    "pty.spawn socket.__new__ socket.connect socket.bind socket.sendto syslog.syslog ctypes.dlopen ctypes.dlsym "
    "ctypes.dlsym/handle ctypes.call_function ctypes.cdata ctypes.cdata/buffer ctypes.string_at ctypes.wstring_at "
    "gc.get_objects gc.get_referrers gc.get_referents sys._current_frames".split()
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = frozenset("os.remove os.rename os.rmdir os.mkdir os.link os.symlink os.truncate os.chmod os.chown".split())


def restrict(readable: Sequence[Path], writable: Sequence[Path]) -> None:
    """Adds the hook to this interpreter, for good."""
    may_write = tuple(str(path) for path in writable)
    may_read = may_write + tuple(str(path) for path in readable)
    sys.addaudithook(hook(may_read, may_write))


def hook(may_read: tuple[str, ...], may_write: tuple[str, ...]) -> Callable[[str, tuple], None]:
    real, beneath, refused, changes = os.path.realpath, is_beneath, REFUSED, CHANGES

    def check(event: str, arguments: tuple) -> None:
        if event in refused:
            raise PermissionError(f"{event}: an exercise's code starts no process, opens no connection, calls no C")
        if event == "open" and isinstance(arguments[0], str | bytes):
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            path = real(os.fsdecode(arguments[0]))
            if not beneath(path, may_write if flags & WRITING else may_read):
                verb = "written" if flags & WRITING else "read"
                raise PermissionError(f"{path} may not be {verb} by an exercise's code")
        elif event in changes and isinstance(arguments[0], str | bytes):
            path = real(os.fsdecode(arguments[0]))
            if not beneath(path, may_write):
                raise PermissionError(f"{path} may not be changed by an exercise's code")
        elif event in ("object.__setattr__", "object.__getattr__") and arguments[0] is check:
            raise PermissionError("this hook stays as it is")

    return check


def is_beneath(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)
