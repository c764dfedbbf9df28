"""A GGUF that was cut, corrupted or made to mislead: one line that names the file and the thing, soon and in little memory."""

import struct
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pretrained.gguf_files import gguf_bytes, small_tensors, small_values, text, typed, write_gguf
from transformer.pretrained.gguf import read_gguf
from transformer.pretrained.gguf.container import read_container

VALUES = {"general.architecture": "llama", "a.number": 7, "a.flag": True, "a.list": [1, -2], "a.name": "x\u00e9"}
TENSORS = {
    "one": ("Q4_1", np.linspace(-1, 2, 64, dtype=np.float32).reshape(2, 32)),
    "two": ("F32", np.arange(3, dtype=np.float32)),
}


def header(keys: int = 0, tensors: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys)


def entry(
    name: str = "t", sizes: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0, dims: int | None = None
) -> bytes:
    dims = len(sizes) if dims is None else dims
    return text(name) + struct.pack(f"<I{len(sizes)}QIQ", dims, *sizes, kind, offset)


def refused(tmp_path, data: bytes) -> str:
    """The message; it is one line, names the file, and comes soon and without much memory."""
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(ValueError) as caught:
        read_gguf(path)
    seconds, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 1000
    assert seconds < 2
    assert peak < 2**28
    return message


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("alignment", [8, 32, 64])
def test_what_was_written_is_read(tmp_path, version, alignment):
    values = VALUES | {"general.alignment": alignment}
    path = write_gguf(tmp_path / "a.gguf", values, TENSORS, version=version, alignment=alignment)

    read = read_container(path)

    assert {key: getattr(value, "tolist", lambda value=value: value)() for key, value in read.values.items()} == values
    assert {name: (entry.format.name, entry.shape) for name, entry in read.entries.items()} == {
        "one": ("Q4_1", (2, 32)),
        "two": ("F32", (3,)),
    }
    assert read.tensor(read.entries["two"]).tolist() == [0, 1, 2]


def test_some_blocks_of_a_tensor_are_read_where_they_lie(tmp_path):
    blocks = {"one": ("Q4_1", np.linspace(-1, 2, 160, dtype=np.float32).reshape(5, 32))}
    read = read_container(write_gguf(tmp_path / "a.gguf", VALUES, TENSORS | blocks))
    entry = read.entries["one"]

    assert read.blocks(entry, 1, 3).tobytes() == read.blocks(entry)[1:4].tobytes()


def test_every_cut_file_is_refused(tmp_path):
    whole = gguf_bytes(VALUES, TENSORS)
    path = tmp_path / "cut.gguf"
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut\.gguf cannot be read as GGUF"):
            read_container(path)


def test_a_file_that_is_cut_after_its_header_was_read_is_refused(tmp_path):
    path = write_gguf(tmp_path / "a.gguf", VALUES, TENSORS)
    read = read_container(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"a\.gguf was cut since it was opened: tensor 'two' ends early"):
        read.tensor(read.entries["two"])


def test_weights_that_are_not_finite_are_refused(tmp_path):
    weights = np.array([0, np.inf], np.float32)
    read = read_container(write_gguf(tmp_path / "a.gguf", VALUES, {"t": ("F32", weights)}))
    with pytest.raises(ValueError, match=r"a\.gguf is corrupted: tensor 't' holds NaN or infinite"):
        read.tensor(read.entries["t"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\3\4" + bytes(100), "does not begin with GGUF"),
        (header(version=1), "version 1 is not 2 or 3"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (header(keys=2**63), f"{2**63} keys are more than 65536"),
        (header(tensors=2**63), f"{2**63} tensors are more than 65536"),
        (header(keys=2**16), "the table of 65536 keys takes 851968 bytes or more"),
        (header(keys=60000), "the table of 60000 keys takes 780000 bytes or more, and 0 are left"),
        (header(keys=1) + struct.pack("<Q", 2**63) + bytes(9), "the name of key 0 takes 9223372036854775808 bytes or more"),
        (header(keys=1) + text("k") + struct.pack("<IQ", 8, 2**62), "key 'k' takes 4611686018427387904 bytes"),
        (header(keys=1) + text("k") + struct.pack("<I", 13), "key 'k' has the unknown type 13"),
        (header(keys=1) + text("k") + struct.pack("<IIQ", 9, 8, 2**61), "key 'k' takes 18446744073709551616 bytes"),
        (header(keys=1) + text("k") + struct.pack("<IIQ", 9, 0, 2**61), "key 'k' takes 2305843009213693952 bytes"),
        (header(keys=1) + text("k") + struct.pack("<IIQ", 9, 9, 1), "key 'k' is an array of the type 9"),
        (header(keys=1) + text("k") + struct.pack("<IB", 7, 2), "key 'k' is true or false, not 2"),
        (header(keys=1) + text("k") + struct.pack("<IIQ3B", 9, 7, 3, 0, 1, 9), "key 'k' is true or false, not 9"),
        (header(keys=1) + struct.pack("<Q", 2) + b"\xff\xfe" + typed(1), "the name of key 0 is not UTF-8"),
        (header(keys=1) + text("a\nb") + typed(1), r"the name of key 0 is 'a\\nb'"),
        (header(keys=1) + text("k" * 257) + typed(1), "the name of key 0 has 257 bytes; at most 256"),
        (header(tensors=1) + entry("a\nb"), r"the name of tensor 0 is 'a\\nb'"),
        (header(keys=2) + 2 * (text("k") + typed(1)), "key 'k' is there twice"),
        (header(keys=1) + text("k") + struct.pack("<IIQ", 9, 8, 2**21) + bytes(2**24), "key 'k' makes it 2097153 strings; at most 1048576"),
        (header(tensors=1) + entry(dims=0), "tensor 't' has 0 dimensions"),
        (header(tensors=1) + entry(dims=2**32 - 1), "tensor 't' has 4294967295 dimensions"),
        (header(tensors=1) + entry("n" * 65), "the name of tensor 0 has 65 bytes; at most 64"),
        (header(tensors=1) + entry(kind=14), "tensor 't' has the type 14, Q6_K; known are"),
        (header(tensors=1) + entry(sizes=(0,)), r"tensor 't' has the sizes \[0\]"),
        (header(tensors=1) + entry(sizes=(33, 2), kind=3), r"the sizes \[33, 2\]; rows of Q4_1 are whole blocks of 32"),
        (header(tensors=1) + entry(sizes=(2**62, 2**62)) + bytes(200), "tensor 't' lies at"),
        (header(tensors=1) + entry(offset=2**62) + bytes(200), "tensor 't' lies at"),
        (header(tensors=1) + entry(offset=4) + bytes(200), "free are multiples of 32"),
        (header(tensors=2) + entry("a") + entry("b") + bytes(200), "tensor 'b' lies at 96 to 224, and free are multiples of 32 from 224"),
        (header(tensors=2) + entry(sizes=(8,)) + entry(sizes=(8,), offset=32) + bytes(200), "tensor 't' is there twice"),
        (header(keys=1) + text("general.alignment") + typed(24), "general.alignment is a power of two, not '24'"),
        (header(keys=1) + text("general.alignment") + typed("8"), "general.alignment is a power of two"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(tmp_path, data, message):
    with pytest.raises(ValueError, match=message):
        raise ValueError(refused(tmp_path, data))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.gguf", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"there is no file {path}"):
            read_gguf(path)


SMALL = gguf_bytes(small_values(), small_tensors(np.random.default_rng(0)))
HEADER_BYTES = SMALL.index(b"blk.1.ffn_down")
AWKWARD = [0, 1, 31, 32, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]
position = st.one_of(st.integers(0, HEADER_BYTES), st.integers(0, len(SMALL) - 1))
change = st.one_of(
    st.tuples(position, st.binary(min_size=1, max_size=3)),
    st.tuples(position, st.sampled_from(AWKWARD).map(lambda number: struct.pack("<Q", number))),
    st.tuples(position, st.integers(0, 40).map(lambda number: struct.pack("<I", number))),
)


def read_all(path) -> None:
    file = read_gguf(path)
    for name in file.tensors:
        assert file.tensors[name].isfinite().all()
        if file.formats[name] == "Q4_1":
            file.packed(name)


def check_mutation(folder, changes, cut) -> None:
    data = bytearray(SMALL)
    for start, new in changes:
        data[start : start + len(new)] = new
    path = folder / "small.gguf"
    path.write_bytes(data[: len(data) - cut])
    began, message = time.process_time(), str(path)
    try:
        read_all(path)
    except ValueError as error:
        message = str(error)
    assert str(path) in message
    assert "\n" not in message
    assert time.process_time() - began < 2


mutations = given(
    changes=st.lists(change, min_size=1, max_size=3), cut=st.one_of(st.just(0), st.integers(0, len(SMALL)))
)
quietly = {"derandomize": True, "database": None, "deadline": None}


def test_the_small_file_is_whole_before_it_is_changed(tmp_path):
    path = tmp_path / "small.gguf"
    path.write_bytes(SMALL)
    read_all(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mutated")


@settings(max_examples=1000, **quietly)
@mutations
def test_a_changed_file_is_read_or_refused_in_one_line(folder, changes, cut):
    check_mutation(folder, changes, cut)


@pytest.mark.slow
@settings(max_examples=20_000, **quietly)
@mutations
def test_twenty_thousand_changed_files_are_read_or_refused_in_one_line(folder, changes, cut):
    check_mutation(folder, changes, cut)
