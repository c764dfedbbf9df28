"""The warm process: torch and pytest are loaded in it, and every job is a fork of it, so that none waits for an import.

It never imports an exercise's solution, a catalogue entry or a student's file: what a fork inherits is no secret.
`Forkserver` is the side that asks; `serve` is the warm process itself.
"""

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lessons.exercises.grading.sandbox import processes

Job = dict[str, Any]
LIBRARY = Path(__file__).resolve().parents[4]
"""The folder that holds our packages: the root of a checkout, or site-packages."""

PRELOADED = "numpy torch torch.nn torch.utils.checkpoint einops jaxtyping safetensors.torch pytest beartype".split()
START = "import sys; sys.path.insert(0, {library!r}); from lessons.exercises.grading.sandbox.forkserver import serve; serve({descriptor})"


class Forkserver:
    """A handle on one warm process, started by the first job and ended with this one. Threads may share it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.control: socket.socket | None = None

    def start(self) -> None:
        """Begins to warm up, without waiting for it."""
        ours, theirs = socket.socketpair()
        code = START.format(library=str(LIBRARY), descriptor=theirs.fileno())
        environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=environment
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


def serve(descriptor: int) -> None:
    """The warm process's life: for every message a fork, until the other side hangs up."""
    processes.end_with_parent()
    processes.adopt_orphans()
    sys.path[:] = [entry for entry in sys.path if entry]
    warm_up()
    run_job = importlib.import_module("lessons.exercises.grading.jobs").run_job
    gc.freeze()  # what is here stays: forks need not look through it
    signal.signal(signal.SIGCHLD, lambda *_: processes.reap())
    control = socket.socket(fileno=descriptor)
    while True:
        message, descriptors, *_ = socket.recv_fds(control, 1 << 16, 1)
        if not message:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            answer(socket.socket(fileno=descriptors[0]), run_job, json.loads(message))
        os.close(descriptors[0])
        control.send(b"!")


def answer(result: socket.socket, run_job: Callable[[Job], Job], job: Job) -> None:
    """In the fork: does the job, sends what came of it, and ends."""
    try:
        reply = run_job(job)
    except Exception as error:  # whatever it is, the asking side must hear of it
        reply = {"error": f"{type(error).__name__}: {error}"}
    result.sendall(json.dumps(reply).encode())
    result.close()
    os._exit(0)


def warm_up() -> None:
    """Everything that takes its time once: imports, torch's first product and gradient, pytest's plugins."""
    for name in PRELOADED:
        if importlib.util.find_spec(name):
            importlib.import_module(name)
    import pytest
    import torch

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    torch.set_num_threads(1)
    x = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
    torch.nn.functional.gelu(x @ x).softmax(-1).sum().backward()
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        Path(folder, "test_nothing.py").write_text("def test_nothing(): pass\n")
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir", folder, folder])
