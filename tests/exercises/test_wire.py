"""Bytes from somebody who is not trusted: they are read in bounded time and memory, or refused in words."""

import json
import time

import pytest
import torch

from lessons.exercises.grading import wire
from lessons.exercises.grading.judge import judge

PACKET = wire.pack({"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([[True], [False]])})


def packet(entries):
    header = json.dumps({"tensors": entries}).encode()
    return len(header).to_bytes(wire.LENGTH, "little") + header


def test_what_was_packed_comes_out_again():
    first, second = wire.unpack(PACKET + PACKET, most=2)

    assert first["a"].equal(torch.tensor([1.0, 2.0]))
    assert second["b"].equal(torch.tensor([[True], [False]]))
    assert wire.unpack(wire.pack({"none": torch.empty(0, 3)}), most=1)[0]["none"].shape == (0, 3)


def test_no_more_packets_are_read_than_were_asked_for():
    with pytest.raises(wire.WireError, match="more than 2 answers"):
        wire.unpack(PACKET * 3, most=2)


def test_a_million_empty_packets_take_no_time():
    started = time.process_time()

    said = judge("layers.layer_norm", [1, 2], wire.READY * 2 + packet([]) * 1_000_000)

    assert "more than 2 answers" in said["message"]
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize(
    "shape",
    [[0, 2**70], [0, 2**62, 2**62], [0, *[2**20] * 7], [2**40], [-1], [1] * 9],
    ids=lambda shape: f"{len(shape)}d",
)
def test_an_impossible_shape_is_refused(shape):
    with pytest.raises(wire.WireError, match=r"shape|cut short"):
        wire.unpack(packet([["the output", "float64", shape]]), most=1)


@pytest.mark.parametrize("cut", [1, wire.LENGTH, len(PACKET) - 1])
def test_half_a_packet_is_refused(cut):
    with pytest.raises(wire.WireError):
        wire.unpack(PACKET[:cut], most=1)


def test_a_wrong_shape_is_told_before_its_numbers_are_looked_at():
    """A tensor as large as an answer may be would fill the judge's memory as float64."""
    many = 60 * (1 << 20)
    answer = packet(
        [["the output", "uint8", [many]], ["x afterwards", "uint8", [0]], ["the gradient of x", "uint8", [0]]]
    ) + bytes(many)
    started = time.process_time()

    said = judge("layers.layer_norm", [1], wire.READY * 2 + answer)

    assert said["message"].startswith("shape")
    assert time.process_time() - started < 2.0
