"""The warm process: torch and pytest are loaded in it, and every job is a fork of it, so that none waits for an import.

It never imports an exercise's solution, a catalogue entry or a student's file: what a fork inherits is no secret.
"""

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lessons.exercises.grading.sandbox.child import end_with_parent

Job = dict[str, Any]
PRELOADED = (
    "numpy numpy.random torch torch.nn torch.utils.checkpoint einops jaxtyping safetensors.torch rich.table pytest beartype"
).split()


def serve(descriptor: int, runner: str, parent: int, preloaded: Sequence[str]) -> None:
    """The warm process's life: for every message a fork that runs the job, until the other side hangs up.

    `runner`   "module:function", a function of a job that gives back what came of it; before it forks, the warm process
               calls the module's `prepare` with the job
    """
    end_with_parent()
    if os.getppid() != parent:  # it has ended already
        return
    sys.path[:] = [entry for entry in sys.path if entry]
    warm_up(preloaded)
    name, _, function = runner.partition(":")
    module = importlib.import_module(name)
    run_job = getattr(module, function)
    gc.freeze()  # what is here stays: forks need not look through it
    signal.signal(signal.SIGCHLD, lambda *_: reap())
    control = socket.socket(fileno=descriptor)
    while True:
        message, descriptors, *_ = socket.recv_fds(control, 1 << 16, 1)
        if not message:
            return
        job = json.loads(message)
        module.prepare(job)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            end_with_parent()
            control.close()
            answer(socket.socket(fileno=descriptors[0]), run_job, job)
        os.close(descriptors[0])
        control.send(b"!")


def answer(result: socket.socket, run_job: Callable[[Job], Job], job: Job) -> None:
    """In the fork: does the job, sends what came of it, and ends."""
    try:
        reply = run_job(job)
    except Exception as error:  # whatever it is, the asking side must hear of it
        reply = {"error": f"{type(error).__name__}: {error}"}
    with contextlib.suppress(ConnectionError):  # nobody waits for it any more
        result.sendall(json.dumps(reply).encode())
    os._exit(0)


def reap() -> None:
    """Takes leave of the forks that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue


def warm_up(preloaded: Sequence[str]) -> None:
    """Everything that takes its time once: imports, torch's first product and gradient, pytest's plugins."""
    for name in [*PRELOADED, *preloaded]:
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
