"""A process to which the kernel refuses new namespaces, as a container's seccomp filter does (`man 2 seccomp`).

What is needed of the packet-filter machine: read a number, skip instructions where it is equal or has a bit, answer.
"""

import ctypes
import errno
import platform
import struct

LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
CALL, FIRST_ARGUMENT = 0, 16
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
NEW_NAMESPACES = 0x7E020000
NO_NEW_PRIVS, SECCOMP, FILTER_MODE = 38, 22, 2
CALLS = {"x86_64": (272, 308, 435, 56), "aarch64": (97, 268, 435, 220)}
"""unshare, setns, clone3 and clone."""


def forbid_namespaces() -> None:
    """For the rest of this process's life, and for all that come from it."""
    unshare, setns, clone3, clone = CALLS[platform.machine()]
    steps = [(LOAD, 0, 0, CALL)]
    for number, error in ((unshare, errno.EPERM), (setns, errno.EPERM), (clone3, errno.ENOSYS)):
        steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE | error)]
    steps += [(EQUAL, 0, 3, clone), (LOAD, 0, 0, FIRST_ARGUMENT), (ANY_BIT, 0, 1, NEW_NAMESPACES)]
    steps += [(RETURN, 0, 0, REFUSE | errno.EPERM), (RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    header = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
    kernel = ctypes.CDLL(None, use_errno=True)
    if kernel.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) or kernel.prctl(SECCOMP, FILTER_MODE, header, 0, 0):
        raise OSError(ctypes.get_errno(), "no filter could be set")
