"""Reading a header piece by piece, where nothing in the file is believed unchecked.

A length or a count is held against what is left of the file before anything is read or made by it, and a header has a
largest size: what a file can make this do is bounded by its own bytes.
"""

import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
LARGEST_HEADER = 2**26  # bytes; the header of a vocabulary of 262,000 tokens has 15 million
MOST_STRINGS = 2**20


class Header:
    """Reads a file from its beginning; `left` counts the bytes that may still come.

    Every method takes what it reads as a word for the message of its ValueError, which names the file too.
    """

    def __init__(self, path: Path, file: BinaryIO):
        self.path, self.file = path, file
        self.size = os.fstat(file.fileno()).st_size
        self.left = min(self.size, LARGEST_HEADER)
        self.strings = 0

    @property
    def position(self) -> int:
        return self.file.tell()

    def refusal(self, problem: str) -> ValueError:
        return ValueError(f"{self.path} cannot be read as GGUF: {problem} (cut or corrupted? fetch it again)")

    def check_room(self, nbytes: int, what: str) -> None:
        if nbytes > self.left:
            limit = f" of {LARGEST_HEADER}, the largest header" if self.size > LARGEST_HEADER else ""
            raise self.refusal(f"{what} takes {nbytes} bytes or more, and {self.left}{limit} are left")

    def take(self, count: int, what: str) -> bytes:
        if count > self.left:
            self.check_room(count, what)
        data = self.file.read(count)
        if len(data) != count:
            raise self.refusal(f"{what} ends after {len(data)} of {count} bytes")
        self.left -= count
        return data

    def number(self, code: str, what: str) -> Any:
        """`code` as in `struct`."""
        data = self.take(struct.calcsize("<" + code), what)
        if code == "?" and data not in (b"\0", b"\1"):
            raise self.refusal(f"{what} is true or false, not {data[0]}")
        return struct.unpack("<" + code, data)[0]

    def text(self, what: str, longest: int = LARGEST_HEADER) -> str:
        """`longest`: bytes."""
        return self.texts(1, what, longest)[0]

    def name(self, what: str, longest: int) -> str:
        """A text that a message can show on its one line."""
        name = self.text(what, longest)
        if not name or not name.isprintable():
            raise self.refusal(f"{what} is {name!r}")
        return name

    def texts(self, count: int, what: str, longest: int = LARGEST_HEADER) -> list[str]:
        """One loop without a call for each: a vocabulary and its merges are hundreds of thousands."""
        self.check_room(8 * count, what)
        self.strings += count
        if self.strings > MOST_STRINGS:
            raise self.refusal(f"{what} makes it {self.strings} strings; at most {MOST_STRINGS} are read")
        found = []
        for _ in range(count):
            length = int.from_bytes(self.file.read(8), "little")
            self.left -= 8
            if length > self.left or length > longest:
                self.check_room(length, what)
                raise self.refusal(f"{what} has {length} bytes; at most {longest} are allowed")
            found.append(self.file.read(length))
            self.left -= length
        try:
            return [data.decode("utf-8") for data in found]
        except UnicodeDecodeError as error:
            raise self.refusal(f"{what} is not UTF-8") from error

    def value(self, kind: int, what: str) -> Any:
        if kind in NUMBERS:
            return self.number(NUMBERS[kind], what)
        if kind == STRING:
            return self.text(what)
        if kind == ARRAY:
            return self.array(what)
        raise self.refusal(f"{what} has the unknown type {kind}")

    def array(self, what: str) -> Any:
        kind, count = self.number("I", what), self.number("Q", what)
        if kind == STRING:
            return self.texts(count, what)
        if kind not in NUMBERS:
            raise self.refusal(f"{what} is an array of the type {kind}; numbers and strings are known")
        code = np.dtype("<" + NUMBERS[kind])
        self.check_room(count * code.itemsize, what)
        array = np.frombuffer(self.take(count * code.itemsize, what), "u1" if NUMBERS[kind] == "?" else code)
        if NUMBERS[kind] == "?" and array.size and array.max() > 1:
            raise self.refusal(f"{what} is true or false, not {array.max()}")
        return array
