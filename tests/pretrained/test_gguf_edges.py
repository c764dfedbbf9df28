"""The edges of what a GGUF may say: the last value that is taken, and the first that is refused."""

import os
import struct

import gguf
import numpy as np
import pytest
import torch

from tests.pretrained.gguf_files import TOKENS, gguf_bytes, small_tensors, small_values, text, typed, write_gguf
from tests.pretrained.test_gguf_container import entry, header
from transformer.pretrained.gguf import container, read_gguf
from transformer.pretrained.gguf import header as header_module
from transformer.pretrained.gguf.blocks import FORMATS, OTHERS, format_of
from transformer.pretrained.gguf.container import read_container
from transformer.pretrained.gguf.header import Header
from transformer.pretrained.gguf.hf_config import LARGEST, hf_config, whole
from transformer.pretrained.gguf.vocabulary import START, read_vocabulary


def vocabulary(**changes):
    values = {START + name: value for name, value in {"tokens": ["a", "b"], **changes}.items()}
    return read_vocabulary({name: value for name, value in values.items() if value is not None})


def test_what_a_vocabulary_leaves_out():
    found = vocabulary()

    assert found is not None
    assert (found.kinds, found.merges, found.model, found.pre) == ([1, 1], [], "gpt2", "default")
    assert (found.bos_id, found.eos_id, found.unk_id, found.pad_id, found.add_bos) == (None, None, None, None, False)
    assert read_vocabulary({}) is None


def test_what_a_vocabulary_says():
    found = vocabulary(token_type=np.array([1, 6]), merges=["a b"], add_bos_token=True, model="m" * 80)

    assert found is not None
    assert (found.kinds, found.merges, found.add_bos, found.model) == ([1, 6], [("a", "b")], True, "m" * 80)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"token_type": np.array([1, 7])}, "a number from 1 to 6"),
        ({"token_type": np.array([0, 1])}, "a number from 1 to 6"),
        ({"token_type": np.array([1])}, "gives each of 2 tokens"),
        ({"tokens": "ab"}, "tokens is a list of strings, not 'ab'"),
        ({"tokens": []}, "tokens is a list of strings"),
        ({"tokens": ["a", 1]}, "tokens is a list of strings"),
        ({"tokens": ["a", "a"]}, "1 tokens twice"),
        ({"model": "m" * 81}, "model is a name"),
        ({"model": 3}, "model is a name"),
    ],
)
def test_a_vocabulary_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        vocabulary(**changes)


@pytest.mark.parametrize("parts", [0, 1])
def test_a_model_in_one_part_may_have_as_many_heads_of_keys_as_of_queries(parts):
    values = small_values() | {"split.count": parts}
    del values["llama.attention.head_count_kv"]

    assert hf_config(values, len(TOKENS))["num_key_value_heads"] == 4
    with pytest.raises(ValueError, match=r"one of '2' parts"):
        hf_config(values | {"split.count": 2}, len(TOKENS))


def test_a_whole_number_has_its_first_and_its_last_value():
    assert [whole({"n": number}, "n") for number in (1, LARGEST)] == [1, LARGEST]
    for number in (0, LARGEST + 1, True, 1.0, None):
        with pytest.raises(ValueError, match=f"n is a whole number from 1 to {LARGEST}"):
            whole({"n": number}, "n")


@pytest.mark.parametrize("alignment", [1, 2])
def test_tensors_may_lie_close_and_in_another_order_than_their_table(tmp_path, alignment):
    path = tmp_path / "a.gguf"
    table = entry("last", (1,), offset=4) + entry("first", (1,), offset=0)
    head = header(keys=1, tensors=2) + text("general.alignment") + typed(alignment) + table
    path.write_bytes(head + bytes(-len(head) % alignment) + struct.pack("<2f", 1, 2))

    read = read_container(path)

    assert {name: read.tensor(found).tolist() for name, found in read.entries.items()} == {"last": [2], "first": [1]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (header(version=0), "version 0 is not 2 or 3"),
        (header(tensors=65536), "the table of 65536 tensors takes 2097152 bytes"),
        (header(tensors=65537), "65537 tensors are more than 65536"),
        (header(tensors=2) + bytes(63), "the table of 2 tensors takes 64 bytes or more, and 63 are left"),
        (header(tensors=1) + entry(sizes=(32, 0)), r"tensor 't' has the sizes \[32, 0\]"),
        (header(keys=1) + text("k") + struct.pack("<IIQ", 9, 5, 2) + bytes(7), "key 'k' takes 8 bytes or more, and 7"),
        (header(keys=1) + text("k") + struct.pack("<IIQ", 9, 7, 2) + b"\1\2", "key 'k' is true or false, not 2"),
        (
            header(keys=1) + text("k") + struct.pack("<IIQ", 9, 8, 2) + text("abc") + struct.pack("<Q", 1),
            "takes 1 bytes or",
        ),
    ],
)
def test_a_file_that_ends_early_or_says_too_much_is_refused(tmp_path, data, message):
    (tmp_path / "a.gguf").write_bytes(data)

    with pytest.raises(ValueError, match=message):
        read_container(tmp_path / "a.gguf")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (text("k" * 9) + bytes(60), "takes 9 bytes or more, and 8 of 40, the largest header are left"),
        (text("k") + typed(1) + bytes(60), "takes 4 bytes or more, and 3 of 40, the largest header are left"),
        (text("k" * 9)[:16], "takes 9 bytes or more, and 8 are left"),
    ],
    ids=["text", "number", "all of the file"],
)
def test_a_header_has_its_largest_size(tmp_path, monkeypatch, data, message):
    monkeypatch.setattr(header_module, "LARGEST_HEADER", 40)
    (tmp_path / "a.gguf").write_bytes(header(keys=1) + data)

    with pytest.raises(ValueError, match=message):
        read_container(tmp_path / "a.gguf")


def test_a_header_has_its_largest_number_of_strings(tmp_path, monkeypatch):
    monkeypatch.setattr(header_module, "MOST_STRINGS", 3)
    path = tmp_path / "a.gguf"

    path.write_bytes(header(keys=1) + text("k") + typed(["a", "b"]))
    assert read_container(path).values == {"k": ["a", "b"]}

    path.write_bytes(header(keys=1) + text("k") + typed(["a", "b", "c"]))
    with pytest.raises(ValueError, match="'k' makes it 4 strings; at most 3 are read"):
        read_container(path)


def test_names_may_be_as_long_as_is_said_and_a_tensor_may_have_four_sizes(tmp_path):
    path, one = tmp_path / "a.gguf", ("F32", np.ones((1, 1, 1, 1), np.float32))
    path.write_bytes(gguf_bytes({"k" * 256: 1}, {"t" * 64: one}))

    read = read_container(path)

    assert (list(read.values), list(read.entries)) == (["k" * 256], ["t" * 64])
    for data, message in (
        (gguf_bytes({"k" * 257: 1}, {}), "257 bytes; at most 256"),
        (gguf_bytes({}, {"t" * 65: one}), "65 bytes; at most 64"),
        (header(tensors=1) + entry(sizes=(1,) * 5), "has 5 dimensions; 1 to 4 are known"),
    ):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=message):
            read_container(path)


VALUES = {
    "UINT8": 200,
    "INT8": -100,
    "UINT16": 60_000,
    "INT16": -30_000,
    "UINT32": 2**32 - 1,
    "INT32": -(2**31),
    "FLOAT32": 0.5,
    "BOOL": True,
    "STRING": "é",
    "UINT64": 2**64 - 1,
    "INT64": -(2**63),
    "FLOAT64": 0.1,
}


def test_values_of_every_type_that_the_reference_writes_are_read(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    for kind, value in VALUES.items():
        writer.add_key_value(kind, value, gguf.GGUFValueType[kind])
        writer.add_key_value(f"list of {kind}", [value] * 2, gguf.GGUFValueType.ARRAY, gguf.GGUFValueType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()

    read = read_container(tmp_path / "a.gguf").values

    assert set(VALUES) | {"ARRAY"} == {kind.name for kind in gguf.GGUFValueType}
    assert {kind: read[kind] for kind in VALUES} == VALUES
    # The writer chooses an array's type by its values.
    assert {kind: list(read[f"list of {kind}"]) for kind in VALUES} == {
        kind: [value] * 2 for kind, value in VALUES.items()
    }


def test_a_format_is_known_or_refused_under_the_references_name():
    names = ["F32", "F16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]
    names += ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "BF16"]

    found = {number: block.name for number, block in FORMATS.items()} | OTHERS

    assert found == {gguf.GGMLQuantizationType[name].value: name for name in names}
    for number, name in OTHERS.items():
        with pytest.raises(ValueError, match=f"has the type {number}, {name}; known are F32, F16, Q4_0, Q4_1, Q8_0"):
            format_of(number)


@pytest.mark.parametrize("key", ["expert_count", "expert_used_count"])
def test_a_model_may_say_that_it_has_no_experts(key):
    assert hf_config(small_values() | {f"llama.{key}": 0}, len(TOKENS)) == hf_config(small_values(), len(TOKENS))
    with pytest.raises(ValueError, match=key):
        hf_config(small_values() | {f"llama.{key}": 1}, len(TOKENS))


def test_an_array_of_truths_is_read(tmp_path):
    path = tmp_path / "a.gguf"
    path.write_bytes(header(keys=1) + text("k") + struct.pack("<IIQ3B", 9, 7, 3, 0, 1, 1))

    assert read_container(path).values["k"].tolist() == [0, 1, 1]


def test_a_file_that_is_cut_while_its_header_is_read_is_refused(tmp_path):
    path = tmp_path / "a.gguf"
    path.write_bytes(b"GGUF")

    with path.open("rb") as file:
        opened = Header(path, file)
        os.truncate(path, 2)
        with pytest.raises(ValueError, match="the version ends after 2 of 4 bytes"):
            opened.number("I", "the version")


def test_a_text_that_fills_the_file_to_its_end_is_read(tmp_path):
    (tmp_path / "a.gguf").write_bytes(header(keys=1) + text("k") + typed("end"))

    assert read_container(tmp_path / "a.gguf").values == {"k": "end"}


@pytest.mark.parametrize("kind", ["Q4_1", "F32"])
def test_a_large_tensor_is_decoded_in_slices(tmp_path, rng, monkeypatch, kind):
    weights = rng.normal(size=(5, 32)).astype(np.float32)
    read = read_container(write_gguf(tmp_path / "a.gguf", {}, {"one": (kind, weights)}))
    whole_tensor = read.tensor(read.entries["one"])
    monkeypatch.setattr(container, "SLICE", 64)

    assert torch.equal(read.tensor(read.entries["one"]), whole_tensor)


@pytest.mark.parametrize("part", ["d", "m"])
def test_one_constant_that_is_not_finite_is_refused_where_bits_stay_packed(tmp_path, rng, part):
    path = write_gguf(tmp_path / "a.gguf", small_values(), small_tensors(rng))
    file, name = read_gguf(path), "model.layers.1.mlp.down_proj.weight"
    found, _ = file.tensors.found[name]
    offset = found.start + found.format.layout.fields[part][1]
    data = bytearray(path.read_bytes())
    data[offset : offset + 2] = np.float16("inf").tobytes()
    path.write_bytes(data)

    with pytest.raises(ValueError, match=f"{name} holds NaN or infinite scales"):
        read_gguf(path).packed(name)


@pytest.mark.parametrize("shape", [None, (640,)])
def test_a_file_without_a_matrix_of_tokens_is_no_language_model(tmp_path, rng, shape):
    tensors = small_tensors(rng)
    del tensors["token_embd.weight"]
    if shape:
        tensors["token_embd.weight"] = ("F32", np.zeros(shape, np.float32))

    with pytest.raises(ValueError, match=r"there is no matrix token_embd\.weight"):
        read_gguf(write_gguf(tmp_path / "a.gguf", small_values(), tensors))
