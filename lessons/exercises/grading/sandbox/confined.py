"""What a forked process gives up before it runs untrusted code, in the order in which it can."""

import os
import resource
import sys
import tempfile
from pathlib import Path

from lessons.exercises.grading.sandbox import audit, landlock, limits, processes, seccomp
from lessons.exercises.grading.sandbox.limits import Limits
from lessons.exercises.grading.sandbox.view import View


def give_up_everything(scratch: Path, view: View, bounds: Limits, output: int, keep: set[int]) -> None:
    """Afterwards this process may write into `scratch/tmp` and nowhere else, and prints into `output`."""
    os.setsid()
    processes.end_with_parent()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, target)
    close_all_but({0, 1, 2, *keep})
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w", buffering=1), open(2, "w", buffering=1)
    os.chdir(scratch)
    writable = (scratch / "tmp", Path(os.devnull))
    os.environ.clear()
    os.environ.update(PATH="/usr/bin:/bin", HOME=str(scratch / "tmp"), TMPDIR=str(scratch / "tmp"), MPLBACKEND="Agg")
    os.environ.update(OMP_NUM_THREADS="1", FT_THREADS="1", CUDA_VISIBLE_DEVICES="", CUBLAS_WORKSPACE_CONFIG=":4096:8")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = (
        "1"  # looking for plugins means reading every package's list of files
    )
    sys.dont_write_bytecode = True
    tempfile.tempdir = str(scratch / "tmp")
    limits.apply(bounds)
    landlock.restrict((*view.readable, scratch), view.listable, writable)
    seccomp.restrict()
    audit.restrict((*view.readable, scratch), writable)


def close_all_but(kept: set[int]) -> None:
    highest = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 4096)
    for descriptor in range(highest):
        if descriptor not in kept:
            close_quietly(descriptor)


def close_quietly(descriptor: int) -> None:
    """Closes it if it is open."""
    try:
        os.close(descriptor)
    except OSError:
        return


def protection() -> dict[str, bool]:
    """Which of the kernel's fences this system has."""
    return {"files": landlock.version() > 0, "processes and network": seccomp.supported()}
