import json
import zlib
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load, save

from quant import UNIFORM_CODEBOOK, dequantize_4bit, from_tensors, quantize_4bit, to_tensors
from quant.storage import checksum, is_shape


@pytest.fixture
def stored():
    return to_tensors(quantize_4bit(torch.randn(7, 33), double_quant=True))


def with_layout(stored, **changes):
    layout = json.loads(bytes(stored["layout"].tolist())) | changes
    return stored | {"layout": torch.tensor(list(json.dumps(layout).encode()), dtype=torch.uint8)}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("double_quant", [False, True])
def test_a_file_gives_back_the_same_weights(dtype, double_quant):
    quantized = quantize_4bit(torch.randn(7, 33).to(dtype), UNIFORM_CODEBOOK, 16, double_quant)

    restored = from_tensors(load(save(to_tensors(quantized))))

    assert torch.equal(dequantize_4bit(restored), dequantize_4bit(quantized))
    assert (restored.dtype, restored.shape, restored.nbytes) == (dtype, quantized.shape, quantized.nbytes)


@pytest.mark.parametrize("double_quant", [False, True])
def test_it_moves_as_a_whole(double_quant):
    moved = quantize_4bit(torch.randn(7, 33), double_quant=double_quant).to("meta")

    assert {tensor.device.type for tensor in moved.tensors().values()} == {"meta"}


def test_parts_in_blocks_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="a power of two"):
        replace(quantize_4bit(torch.randn(1, 63), block_size=64), block_size=63)


@pytest.mark.parametrize("name", ["codes", "codebook", "scale_codes", "scale_constants"])
def test_a_missing_tensor_is_named(stored, name):
    del stored[name]
    with pytest.raises(ValueError, match=f"fc1.*missing {name}"):
        from_tensors(stored, "fc1")


@pytest.mark.parametrize("name", ["codes", "codebook", "scale_codes", "scale_constants"])
def test_a_cut_tensor_is_named(stored, name):
    stored[name] = stored[name][:-1]
    with pytest.raises(ValueError, match=f"fc1.*truncated: {name} is"):
        from_tensors(stored, "fc1")


@pytest.mark.parametrize("name", ["codes", "codebook", "scale_codes", "scale_constants"])
def test_one_changed_bit_is_noticed(stored, name):
    stored[name] = stored[name].clone()
    stored[name].view(torch.uint8)[3] ^= 1
    with pytest.raises(ValueError, match=r"fc1 is corrupted: its checksum"):
        from_tensors(stored, "fc1")


def test_an_unknown_tensor_is_named(stored):
    with pytest.raises(ValueError, match=r"unknown weight"):
        from_tensors(stored | {"weight": torch.zeros(1)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": "7, 33"}, "the layout of fc1 needs"),
        ({"dtype": "torch.int8"}, "the layout of fc1 needs"),
        ({"block_size": 48}, "fc1.*power of two"),
        ({"block_size": 16}, "fc1.*scale_codes is"),
        ({"shape": [7, 34]}, "fc1.*codes is"),
    ],
)
def test_a_layout_that_does_not_fit_is_refused(stored, changes, message):
    with pytest.raises(ValueError, match=message):
        from_tensors(with_layout(stored, **changes), "fc1")


def test_a_layout_that_cannot_be_read_is_refused(stored):
    with pytest.raises(ValueError, match=r"fc1 has no layout"):
        from_tensors({"codes": stored["codes"]}, "fc1")
    with pytest.raises(ValueError, match=r"layout of fc1 is no JSON"):
        from_tensors(stored | {"layout": stored["layout"][:-5]}, "fc1")


def test_a_shape_is_of_some_numbers_and_of_no_more_than_2_to_the_40():
    assert all(map(is_shape, ([], [1], [7, 33], [2**40], [2**20, 2**20])))
    assert not any(map(is_shape, ([0], [3, 0], [-1], [1.0], [True], ["7"], [2**40 + 1], [2**20, 2**21], [0, 2**41])))


def test_the_checksum_is_crc_32_of_the_bytes_by_name():
    tensors = {"b": torch.tensor([3], dtype=torch.uint8), "a": torch.tensor([1, 2], dtype=torch.uint8)}
    assert checksum(tensors) == zlib.crc32(b"\1\2\3")


def test_what_lies_apart_in_memory_is_written_side_by_side():
    quantized = quantize_4bit(torch.randn(7, 33))
    apart = replace(quantized, codebook=quantized.codebook[:, None].repeat(1, 2)[:, 0])
    assert not apart.codebook.is_contiguous()
    assert to_tensors(apart)["codebook"].is_contiguous()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"block_size": 48}, "power of two"),
        ({"block_size": 128}, "scales is"),
        ({"shape": torch.Size([7, 31])}, "codes is"),
    ],
)
def test_parts_that_do_not_fit_together_are_no_quantized_tensor(changes, told):
    with pytest.raises(ValueError, match=told):
        replace(quantize_4bit(torch.randn(7, 33), double_quant=False), **changes)
