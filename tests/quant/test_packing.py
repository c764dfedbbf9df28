import pytest
import torch

from quant import pack_nibbles, unpack_nibbles
from tests.reference import quantization as reference


def test_the_first_code_lies_in_the_high_half():
    assert pack_nibbles(torch.tensor([15, 0, 7, 8], dtype=torch.uint8)).tolist() == [0xF0, 0x78]


def test_an_odd_count_is_filled_up():
    codes = torch.tensor([1, 2, 3], dtype=torch.uint8)

    assert pack_nibbles(codes).tolist() == [0x12, 0x30]
    assert pack_nibbles(codes, padding=7).tolist() == [0x12, 0x37]


@pytest.mark.parametrize("count", [0, 1, 2, 7, 64, 101])
def test_unpacking_gives_the_codes_back(count):
    codes = torch.randint(0, 16, (count,), dtype=torch.uint8)

    packed = pack_nibbles(codes)

    assert bytes(packed.tolist()) == reference.pack(codes.tolist())
    assert torch.equal(unpack_nibbles(packed, count), codes)


def test_a_code_above_15_is_refused():
    with pytest.raises(ValueError, match=r"at most 15.*16"):
        pack_nibbles(torch.tensor([3, 16], dtype=torch.uint8))


def test_bytes_that_do_not_hold_the_count_are_refused():
    with pytest.raises(ValueError, match=r"7 codes fill 4 bytes, and here are 3"):
        unpack_nibbles(torch.zeros(3, dtype=torch.uint8), 7)
