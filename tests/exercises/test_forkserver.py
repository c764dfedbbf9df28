"""The process behind the checks comes and goes without a word."""

import os
import signal
import subprocess
import sys
import time

import pytest

from lessons.exercises.grading.check import COMPILER, Grader
from lessons.exercises.grading.sandbox.forkserver import Forkserver
from lessons.exercises.source import LIBRARY

NOTEBOOK = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
from lessons.exercises.grading.check import Grader
grader = Grader()
grader.server.start()
time.sleep({warm})
try:
    print("ready", grader.server.process.pid, flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.slow
def test_an_interrupted_notebook_leaves_no_traceback_and_no_process():
    for warm in (0.2, 4.0):  # while it loads, and while it waits for a job
        kernel = subprocess.Popen(
            [sys.executable, "-c", NOTEBOOK.format(warm=warm)],
            cwd=LIBRARY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        server = int(kernel.stdout.readline().split()[1])

        os.killpg(kernel.pid, signal.SIGINT)  # Jupyter interrupts the whole group, and so does Ctrl-C

        said, complained = kernel.communicate(timeout=60)
        assert said == "interrupted\n"
        assert not complained
        assert ends(server)


def ends(pid):
    patience = time.monotonic() + 10
    while time.monotonic() < patience:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def prepare(job):
    pass


def loaded(job):
    return {"loaded": [name for name in job["names"] if name in sys.modules]}


@pytest.mark.slow
@pytest.mark.parametrize("many", [False, True])
def test_who_checks_many_files_loads_torch_s_compiler_once_for_all(many):
    server = Forkserver(f"{__name__}:{loaded.__name__}", Grader(many=many).server.preloaded)

    found = server.run({"names": ["torch", COMPILER]}, 60)["loaded"]
    server.close()

    assert found == (["torch", COMPILER] if many else ["torch"])
