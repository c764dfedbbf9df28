"""Grader: two codes in a byte."""

import pytest
import torch

from lessons.exercises.diagnosis import assert_matches, assert_refused
from quant.packing import pack_nibbles, unpack_nibbles
from tests.reference.quantization import pack

CODES = [3, 15, 0, 7, 12, 1, 9, 4]


def codes(numbers):
    return torch.tensor(numbers, dtype=torch.uint8)


def test_the_first_code_is_in_the_high_half_of_the_byte():
    packed = pack_nibbles(codes(CODES))

    mistakes = {
        "the first code is in the low half, where it belongs into the high half": [
            b << 4 | a for a, b in zip(CODES[::2], CODES[1::2])
        ],
        "a code is shifted by another number of bits than four": [
            (a << 3 | b) % 256 for a, b in zip(CODES[::2], CODES[1::2])
        ],
        "only one of the two codes is kept": [a << 4 for a in CODES[::2]],
        "a code is packed with its far partner: first half of the line, second half": [
            a << 4 | b for a, b in zip(CODES[:4], CODES[4:])
        ],
    }
    assert_matches(packed, list(pack(CODES)), "bytes", name="the bytes", dtype=torch.uint8, mistakes=mistakes)


@pytest.mark.parametrize("padding", [0, 5])
def test_an_odd_count_is_filled_up(padding):
    packed = pack_nibbles(codes(CODES[:5]), padding)

    mistakes = {"the padding that was given is not used": list(pack(CODES[:5]))} if padding else {}
    right = list(pack([*CODES[:5], padding]))
    assert_matches(packed, right, "bytes", name="the bytes", dtype=torch.uint8, mistakes=mistakes)


def test_nothing_packs_to_nothing():
    assert pack_nibbles(codes([])).numel() == 0, "shape: no codes make no bytes"


def test_a_code_above_15_is_refused():
    assert_refused(pack_nibbles, codes([3, 16]))


@pytest.mark.parametrize("count", [8, 5, 1])
def test_unpacking_gives_the_codes_again(count):
    packed = codes(list(pack(CODES[:count])))

    unpacked = unpack_nibbles(packed, count)

    swapped = [code for pair in zip([*CODES[1:count:2], 0], CODES[:count:2]) for code in pair][:count]
    mistakes = {"the halves have changed places": swapped} if len(swapped) == count and count > 1 else {}
    assert_matches(unpacked, CODES[:count], "count", name="the codes", dtype=torch.uint8, mistakes=mistakes)


def test_another_number_of_bytes_is_refused():
    assert_refused(unpack_nibbles, codes([0, 0, 0, 0]), 5)
