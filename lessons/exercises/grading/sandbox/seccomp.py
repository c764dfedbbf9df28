"""A filter on system calls: no new processes, no network, no signals to others, no debugging, no new namespaces.

The filter is a program of the kernel's packet-filter machine (`man 2 seccomp`). It reads the number of the call and the low
half of its first argument, and answers: allowed, or an error number. Threads may still be made; processes may not.
"""

import ctypes
import errno
import os
import platform
import struct

LOAD, EQUAL, GREATER_OR_EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, MACHINE, FIRST_ARGUMENT = 0, 4, 16
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER_MODE = 38, 22, 2
CLONE_THREAD = 0x00010000
X32_CALLS = 0x40000000

MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Name → the kernel's number of the machine, and the column of the tables below."""

FORBIDDEN: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "socket": (41, 198),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "open_by_handle_at": (304, 265),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
}
ONLY_ON_ITSELF = {"kill": (62, 129), "tgkill": (234, 131)}
CLONE, CLONE3 = (56, 220), (435, 435)

Instruction = tuple[int, int, int, int]


def supported() -> bool:
    return os.uname().sysname == "Linux" and platform.machine() in MACHINES


def restrict() -> bool:
    """Installs the filter for this process, for good. False on a system or machine that it does not know."""
    if not supported():
        return False
    machine, column = MACHINES[platform.machine()]
    code = b"".join(struct.pack("HBBI", *one) for one in program(machine, column, os.getpid()))
    buffer = ctypes.create_string_buffer(code)
    header = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    kernel = ctypes.CDLL(None, use_errno=True)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, FILTER_MODE, header, 0, 0)):
        if kernel.prctl(*arguments):
            raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")
    return True


def program(machine: int, column: int, pid: int) -> list[Instruction]:
    """Each jump names how many instructions to skip when the test holds, and when it does not."""
    refuse = (RETURN, 0, 0, REFUSE | errno.EPERM)
    steps: list[Instruction] = [
        (LOAD, 0, 0, MACHINE),
        (EQUAL, 1, 0, machine),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (GREATER_OR_EQUAL, 0, 1, X32_CALLS),
        (RETURN, 0, 0, KILL),
    ]
    for numbers in FORBIDDEN.values():
        if (number := numbers[column]) is not None:
            steps += [(EQUAL, 0, 1, number), refuse]
    # glibc falls back from clone3, whose flags a filter cannot read, to clone, whose flags it can.
    steps += [(EQUAL, 0, 1, CLONE3[column]), (RETURN, 0, 0, REFUSE | errno.ENOSYS)]
    for numbers in ONLY_ON_ITSELF.values():
        steps += [(EQUAL, 0, 4, numbers[column]), (LOAD, 0, 0, FIRST_ARGUMENT), (EQUAL, 0, 1, pid)]
        steps += [(RETURN, 0, 0, ALLOW), refuse]
    steps += [(EQUAL, 0, 4, CLONE[column]), (LOAD, 0, 0, FIRST_ARGUMENT), (ANY_BIT, 0, 1, CLONE_THREAD)]
    steps += [(RETURN, 0, 0, ALLOW), refuse]
    return [*steps, (RETURN, 0, 0, ALLOW)]
