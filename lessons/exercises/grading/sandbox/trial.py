"""Whether there is a wall on this machine: a process is put behind one, and must find itself there."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lessons.exercises.grading.sandbox.limits import Limits
from lessons.exercises.grading.sandbox.view import INSIDE
from lessons.exercises.grading.sandbox.wall import Room
from lessons.exercises.source import LIBRARY


def problem() -> str:
    """Why there is no wall on this machine, in one line; empty where a process was put behind it and it held."""
    code = f"import sys; sys.path.insert(0, {str(LIBRARY)!r}); from {__name__} import tried; print(tried())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return run.stdout.strip() if run.returncode == 0 else run.stderr.strip().rpartition("\n")[2]


def tried() -> str:
    """The same, for a process that has one thread: torch starts its threads anew in a fork, and then none may join."""
    with tempfile.TemporaryDirectory(prefix="exercise-") as folder:
        (Path(folder) / "tmp").mkdir()
        try:
            room = Room(Path(folder).resolve(), [], Limits())
        except OSError as reason:
            return str(reason)
        try:
            if pid := os.fork():
                return "" if os.waitpid(pid, 0)[1] == 0 else "nobody can join a room of bubblewrap"
            room.enter()
            os._exit(Path("/proc").exists() or not Path(INSIDE).exists())
        except BaseException:  # nothing may unwind into the parent's own stack
            os._exit(1)
        finally:
            room.close()
