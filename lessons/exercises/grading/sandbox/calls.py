"""The system calls that a room of bubblewrap leaves open and that are closed to untrusted code.

    memory        that no limit of a process counts     → "not permitted"
    processes     a fork in any of its forms            → the kernel ends who calls, by SIGSYS

A thread is born by the same call as a process, `clone`, with a flag that says so (`man 2 clone`). In `clone3` the flags lie
where no filter can read them: it is answered with "no such call", and the C library takes `clone`.

The filter is a program of the kernel's packet-filter machine (`man 2 seccomp`): it reads the number of the call and its first
argument, and answers.
"""

import ctypes
import errno
import os
import platform
import struct

LOAD, EQUAL, GREATER_OR_EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, MACHINE, FIRST_ARGUMENT = 0, 4, 16
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
PR_SET_SECCOMP, FILTER_MODE = 22, 2
CLONE_THREAD = 0x00010000
X32_CALLS = 0x40000000

MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Name → the kernel's number of the machine, and the column of the tables below."""

MEMORY = {
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
FORKS: tuple[tuple[int, ...], ...] = ((57, 58), ())
"""fork and vfork; aarch64 has `clone` alone."""
CLONE, CLONE3 = (56, 220), (435, 435)


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
    no_such_call = (RETURN, 0, 0, REFUSE | errno.ENOSYS)
    steps = [(LOAD, 0, 0, MACHINE), (EQUAL, 1, 0, machine), no_such_call]
    steps += [(LOAD, 0, 0, NUMBER), (GREATER_OR_EQUAL, 0, 1, X32_CALLS), no_such_call]
    for numbers in MEMORY.values():
        steps += [(EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, REFUSE | errno.EPERM)]
    for number in FORKS[column]:
        steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, KILL)]
    steps += [(EQUAL, 0, 1, CLONE3[column]), no_such_call]
    steps += [(EQUAL, 0, 3, CLONE[column]), (LOAD, 0, 0, FIRST_ARGUMENT), (ANY_BIT, 1, 0, CLONE_THREAD)]
    return [*steps, (RETURN, 0, 0, KILL), (RETURN, 0, 0, ALLOW)]
