"""The side that asks: a handle on one warm process, which forks itself for every job."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

from lessons.exercises.grading.sandbox.warm_process import Job, serve
from lessons.exercises.source import LIBRARY

START = (
    "import sys; sys.path.insert(0, {library!r}); from {module} import serve; "
    "serve({descriptor}, {runner!r}, {parent}, {preloaded!r})"
)

PASSED_ON = "PATH HOME LANG TMPDIR PYTHONPATH LD_LIBRARY_PATH".split()
"""Of the environment nothing else: a fork that runs a student's file inherits the memory in which it lies."""


class Forkserver:
    """One warm process, started by the first job and ended with this one. Threads may share it.

    `runner`      "module:function": what a fork does with a job. It is imported there and never here.
    `preloaded`   modules that every fork shall have from the beginning, beside those that it has anyway
    """

    def __init__(self, runner: str, preloaded: Sequence[str] = ()) -> None:
        self.runner, self.preloaded = runner, tuple(preloaded)
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.control: socket.socket | None = None

    def start(self) -> None:
        """Begins to warm up, without waiting for it."""
        ours, theirs = socket.socketpair()
        facts = {"library": str(LIBRARY), "module": serve.__module__, "runner": self.runner, "parent": os.getpid()}
        code = START.format(**facts, descriptor=theirs.fileno(), preloaded=self.preloaded)
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env=environment | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            start_new_session=True,  # Ctrl-C, or a notebook that is closed, interrupts this side only
        )
        theirs.close()
        self.control = ours

    def run(self, job: Job, seconds: float) -> Job:
        """The job's result. Raises TimeoutError or ConnectionError when there is none."""
        ours, theirs = socket.socketpair()
        with ours, self.lock:
            if self.process is None or self.process.poll() is not None:
                self.start()
            control = self.control
            if control is None:
                raise ConnectionError("the process that grades has no way to be asked")
            with theirs:
                socket.send_fds(control, [json.dumps(job).encode()], [theirs.fileno()])
            if not control.recv(1):
                raise ConnectionError("the process that grades could not be started")
            return_socket = ours.dup()
        with return_socket:
            return_socket.settimeout(seconds)
            parts = []
            while part := return_socket.recv(1 << 16):
                parts.append(part)
        if not parts:
            raise ConnectionError("the process that grades ended without a word")
        return json.loads(b"".join(parts))

    def close(self) -> None:
        with self.lock:
            if self.control is not None:
                self.control.close()
            if self.process is not None:
                self.process.wait()
            self.process = self.control = None
