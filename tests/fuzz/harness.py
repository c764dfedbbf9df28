"""Reading what others wrote: it is read, or refused in one line; soon, in little memory, and nothing is written.

A target begins with something whole, changes it, and reads it. The changes are those that files meet: a value of another
type, a number that is NaN or huge, a key too many or too few, bytes that were cut or overwritten.
"""

import json
import os
import resource
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy], Any]

QUIETLY: dict[str, Any] = {"derandomize": True, "database": None, "deadline": None}
SECONDS, MEGABYTES = 2, 1024
AWKWARD = [0, -1, 1, 31, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1, 2**70]

numbers = st.one_of(st.sampled_from(AWKWARD), st.integers(-3, 300), st.floats(), st.sampled_from([1e30, 1e-30, 0.5]))
leaves = st.one_of(
    st.none(), st.booleans(), numbers, st.text(max_size=8), st.sampled_from(["", "..", "/tmp/x", "a\nb", "(", "\ud800"])
)
anything = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=5)  # fmt: skip


def changed_object(draw: Draw, whole: Mapping[str, Any]) -> dict[str, Any]:
    """One to three fields with another value, gone, or new."""
    found = dict(whole)
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.one_of(st.sampled_from(sorted(whole)), st.text(max_size=6)))
        if draw(st.integers(0, 5)) == 0:
            found.pop(key, None)
        else:
            found[key] = draw(anything)
    return found


def changed_json(draw: Draw, whole: Mapping[str, Any]) -> bytes:
    """The text of a changed object; now and then of something else, nested or cut."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.binary(max_size=40))
    if kind == 1:
        return draw(
            st.sampled_from([b"[" * 200_000, b'{"a":' * 200_000, b"[]", b"null", b"1" * 5000, b"NaN", b"", b"\xff\xfe"])
        )
    text = json.dumps(changed_object(draw, whole)).encode()
    return changed_bytes(draw, text) if kind == 2 else text


def changed_bytes(draw: Draw, whole: bytes, header: int | None = None) -> bytes:
    """Some bytes overwritten, most of them in the header; now and then cut."""
    data = bytearray(whole)
    places = st.one_of(st.integers(0, header or len(whole)), st.integers(0, len(whole)))
    news = st.one_of(
        st.binary(min_size=1, max_size=4),
        st.sampled_from(AWKWARD).map(lambda number: struct.pack("<Q", number % 2**64)),
        st.sampled_from([b"NaN", b"[[[", b"null", b"-1", b"99999999999999999999", b'"', b"F64", b"I8", b"}"]),
    )
    for _ in range(draw(st.integers(1, 3))):
        start, new = draw(places), draw(news)
        data[start : start + len(new)] = new
    return bytes(data[: draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))])


def read_or_refused(
    read: Callable[[], object], errors: tuple[type[Exception], ...] = (ValueError, FileNotFoundError)
) -> str:
    """Reads, and gives back the message of a refusal. Any other error passes, and fails the test."""
    began, message = time.process_time(), ""
    with nothing_written():
        try:
            read()
        except errors as error:
            message = str(error)
    assert "\n" not in message, message
    assert len(message) < 2000, message[:3000]
    assert time.process_time() - began < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 < memory_before + MEGABYTES
    return message


memory_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
watching: list[str] | None = None
WRITES = (
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "shutil.move",
    "subprocess.Popen",
)


def heard(event: str, arguments: tuple[Any, ...]) -> None:
    """Notes what would write, while somebody watches. An audit hook stays for good, so there is one."""
    if watching is None:
        return
    writes = event in WRITES
    if event == "open":
        mode, flags = arguments[1], arguments[2] or 0
        writes = bool(set(mode or "") & set("wax+")) or bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    if writes:
        watching.append(f"{event} {arguments}")


sys.addaudithook(heard)


@contextmanager
def nothing_written() -> Iterator[None]:
    """Fails where anything inside opens a file to write, makes or removes one, or starts a program."""
    global watching
    watching = []
    try:
        yield
        assert not watching, watching
    finally:
        watching = None
