"""Files that are whole at every instant, and files that are replaced together.

A file is written beside its name, as .NAME.THREAD.PROCESS.part, and then takes the name: a killed run or a full disk leaves
the old file whole. What killed runs left behind is removed by the next write of the same file.
"""

import contextlib
import glob
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path


def replace(contents: Mapping[Path, bytes]) -> None:
    """All are written beside their names before the first takes its own, and they take them in the order given.

    Raises OSError that names the file. A full disk is noticed before any old file is touched.
    """
    parts: dict[Path, Path] = {}
    try:
        for path, data in contents.items():
            clear_leftovers(path)
            parts[path] = path.with_name(f".{path.name}.{threading.get_native_id()}.{os.getpid()}.part")
            with parts[path].open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path, part in parts.items():
            part.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        for part in parts.values():
            with contextlib.suppress(OSError):  # it has its name now, or what went wrong with the file itself is told
                part.unlink()


def clear_leftovers(path: Path) -> None:
    """Removes what runs that were killed while they wrote this file have left beside it."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        ending = part.name.removeprefix(f".{path.name}.").removesuffix(".part")
        if all(number.isdecimal() for number in ending.split(".")) and not is_running(int(ending.split(".")[-1])):
            with contextlib.suppress(OSError):  # it is another user's, or another run was faster
                part.unlink()


def is_running(process: int) -> bool:
    """Whether a process of this machine has that number. Where asking is not safe (Windows), it may."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True
