"""The few system calls that a room of bubblewrap leaves open and that take memory which no limit of a process counts.

The filter is a program of the kernel's packet-filter machine (`man 2 seccomp`): it reads the number of the call, and
answers: allowed, or "not permitted".
"""

import ctypes
import errno
import os
import platform
import struct

LOAD, EQUAL, GREATER_OR_EQUAL, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, MACHINE = 0, 4
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
PR_SET_SECCOMP, FILTER_MODE = 22, 2
X32_CALLS = 0x40000000

MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Name → the kernel's number of the machine, and the column of the table below."""

FORBIDDEN = {
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "io_uring_setup": (425, 425),
}


def refuse() -> None:
    """For the rest of this process's life, which must have PR_SET_NO_NEW_PRIVS. Nothing on a machine that is not known."""
    if platform.machine() not in MACHINES:
        return
    code = b"".join(struct.pack("HBBI", *step) for step in program(*MACHINES[platform.machine()]))
    buffer = ctypes.create_string_buffer(code)
    header = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_SECCOMP, FILTER_MODE, header, 0, 0):
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def program(machine: int, column: int) -> list[tuple[int, int, int, int]]:
    """Each jump names how many instructions to skip when the test holds, and when it does not."""
    steps = [(LOAD, 0, 0, MACHINE), (EQUAL, 1, 0, machine), (RETURN, 0, 0, KILL)]
    steps += [(LOAD, 0, 0, NUMBER), (GREATER_OR_EQUAL, 0, 1, X32_CALLS), (RETURN, 0, 0, KILL)]
    for numbers in FORBIDDEN.values():
        steps += [(EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, REFUSE | errno.EPERM)]
    return [*steps, (RETURN, 0, 0, ALLOW)]
