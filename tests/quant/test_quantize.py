import numpy as np
import pytest
import torch

from quant import (
    CODEBOOKS,
    FP4_CODEBOOK,
    NF4_CODEBOOK,
    UNIFORM_CODEBOOK,
    dequantize_4bit,
    quantize_4bit,
    unpack_nibbles,
)
from quant.slices import middles_of
from tests.reference import quantization as reference

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
SHAPES = [(3, 50), (128,), (7, 3, 5), (1,), (65,), (), (2, 64)]


@pytest.mark.parametrize("codebook", CODEBOOKS.values(), ids=CODEBOOKS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("block_size", [16, 64])
def test_codes_scales_and_weights_are_those_of_the_loops(codebook, shape, block_size):
    weight = torch.randn(shape)
    codes, scales = reference.quantize(weight.numpy(), codebook.tolist(), block_size)

    quantized = quantize_4bit(weight, codebook, block_size)

    restored = codebook[unpack_nibbles(quantized.codes, weight.numel()).long()]
    assert restored.tolist() == [codebook[code].item() for code in codes]
    np.testing.assert_allclose(quantized.scales.numpy(), scales, rtol=1e-6)
    expected = reference.dequantize(codes, scales, codebook.tolist(), block_size).reshape(shape)
    np.testing.assert_allclose(dequantize_4bit(quantized).numpy(), expected, rtol=1e-6)


def test_known_bytes():
    weight = torch.linspace(-1, 1, 64)

    nf4, fp4 = quantize_4bit(weight, NF4_CODEBOOK), quantize_4bit(weight, FP4_CODEBOOK)

    assert bytes(nf4.codes.tolist()).hex() == "00000111111112222233344445556667788899aaabbbccccddddeeeeeeefffff"
    assert bytes(fp4.codes.tolist()).hex() == "bbbbbbaaaaaaaadddddccccffeeee99911166667744445555522222222333333"


@pytest.mark.parametrize("codebook", CODEBOOKS.values(), ids=CODEBOOKS)
def test_a_tie_goes_to_the_lower_value(codebook):
    """The largest weight of the block is 1, so that w / scale is exactly the middle of two levels."""
    middles, _ = middles_of(codebook)
    inside = middles[middles.abs() <= 1]
    weight = torch.cat([inside, torch.ones(16 - len(inside))])

    restored = dequantize_4bit(quantize_4bit(weight, codebook, block_size=16))[: len(inside)]

    assert (restored <= inside).all()
    distances = (inside[:, None] - codebook).abs()
    torch.testing.assert_close((restored - inside).abs(), distances.min(dim=1).values, atol=1e-7, rtol=0)


@pytest.mark.parametrize("name", ["nf4", "fp4", "int4"])
def test_zero_stays_exactly_zero(name):
    weight = torch.randn(5, 64)
    weight[:, ::3] = 0
    restored = dequantize_4bit(quantize_4bit(weight, CODEBOOKS[name], double_quant=True))
    assert (restored[:, ::3] == 0).all()


def test_on_the_uniform_grid_zero_becomes_half_a_step():
    """No level of it is 0; both neighbours are equally far, and the tie goes to the lower one."""
    weight = torch.zeros(64)
    weight[0] = 3
    restored = dequantize_4bit(quantize_4bit(weight, UNIFORM_CODEBOOK))
    torch.testing.assert_close(restored[1:], torch.full((63,), -3 / 15))


@pytest.mark.parametrize("codebook", CODEBOOKS.values(), ids=CODEBOOKS)
@pytest.mark.parametrize("double_quant", [False, True])
def test_a_block_of_zeros_comes_back_as_zeros(codebook, double_quant):
    assert torch.equal(
        dequantize_4bit(quantize_4bit(torch.zeros(3, 40), codebook, 16, double_quant)), torch.zeros(3, 40)
    )


@pytest.mark.parametrize("codebook", CODEBOOKS.values(), ids=CODEBOOKS)
def test_quantizing_what_was_restored_changes_nothing(codebook):
    first = quantize_4bit(torch.randn(9, 64), codebook)
    again = quantize_4bit(dequantize_4bit(first), codebook)
    assert torch.equal(dequantize_4bit(again), dequantize_4bit(first))
    assert torch.equal(again.scales, first.scales)


@pytest.mark.parametrize("codebook", CODEBOOKS.values(), ids=CODEBOOKS)
def test_no_weight_moves_by_more_than_half_the_gap_that_it_lies_in(codebook):
    weight = torch.randn(40, 64)
    quantized = quantize_4bit(weight, codebook)
    levels = codebook.sort().values.clamp(-1, 1)
    position = torch.bucketize(weight / quantized.scales[:, None], levels).clamp(1, 15)
    half_gap = (levels[position] - levels[position - 1]) / 2

    error = (dequantize_4bit(quantized) - weight).abs()

    assert (error <= quantized.scales[:, None] * (half_gap + 1e-6)).all()


def test_an_outlier_spoils_its_own_block_only():
    weight = torch.randn(4, 64)
    with_outlier = weight.clone()
    with_outlier[2, 5] = 1000
    others = torch.tensor([0, 1, 3])
    assert torch.equal(
        dequantize_4bit(quantize_4bit(with_outlier))[others], dequantize_4bit(quantize_4bit(weight))[others]
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("double_quant", [False, True])
def test_the_type_and_the_shape_come_back(dtype, double_quant):
    weight = torch.randn(6, 33).to(dtype)
    restored = dequantize_4bit(quantize_4bit(weight, double_quant=double_quant))
    assert restored.dtype == dtype
    assert restored.shape == weight.shape
    exact = dequantize_4bit(quantize_4bit(weight.float(), double_quant=double_quant))
    assert torch.equal(restored, exact.to(dtype))


def test_a_matrix_of_several_slices_is_quantized_as_its_rows_are():
    weight = torch.randn(5, 2**17 + 64).t().contiguous().t()  # not contiguous, more than one slice of either kind
    whole = quantize_4bit(weight)
    rows = [quantize_4bit(row) for row in weight]
    assert torch.equal(whole.codes, torch.cat([row.codes for row in rows]))
    assert torch.equal(dequantize_4bit(whole), torch.stack([dequantize_4bit(row) for row in rows]))


def test_four_and_a_half_bits_per_parameter():
    quantized = quantize_4bit(torch.randn(128, 64))
    assert quantized.bits_per_parameter == 4.5
    assert quantized.nbytes == 128 * 64 // 2 + 128 * 4 + 16 * 4


def test_a_parameter_that_trains_is_quantized_without_a_graph():
    quantized = quantize_4bit(torch.nn.Parameter(torch.randn(3, 32)))
    assert not dequantize_4bit(quantized).requires_grad


def test_packed_codes_cannot_be_trained():
    with pytest.raises(RuntimeError, match=r"floating point"):
        quantize_4bit(torch.randn(64)).codes.requires_grad_()


@pytest.mark.parametrize("block_size", [0, -64, 8, 48, 100])
def test_a_block_size_that_is_no_power_of_two_or_below_16_is_refused(block_size):
    with pytest.raises(ValueError, match=f"power of two.*{block_size}"):
        quantize_4bit(torch.randn(64), block_size=block_size)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_infinite_weights_are_refused_with_their_place(value, dtype):
    weight = torch.randn(3, 50).to(dtype)
    weight[1, 20] = value
    weight[2, 49] = value
    with pytest.raises(ValueError, match=r"2 of 150 weights.*\(1, 20\)"):
        quantize_4bit(weight)


def test_a_number_too_large_for_float32_is_refused():
    with pytest.raises(ValueError, match=r"infinite in float32"):
        quantize_4bit(torch.full((32,), 1e300, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(0,), (3, 0)])
def test_an_empty_tensor_is_refused(shape):
    with pytest.raises(ValueError, match=r"nothing to quantize"):
        quantize_4bit(torch.empty(shape))


def test_integers_are_refused():
    with pytest.raises(TypeError, match=r"floating-point weights, not torch.uint8"):
        quantize_4bit(quantize_4bit(torch.randn(64)).codes)


def test_a_tensor_without_values_is_refused():
    with pytest.raises(ValueError, match=r"meta device"):
        quantize_4bit(torch.empty(4, 16, device="meta"))


def test_a_quantized_tensor_is_not_quantized_again():
    with pytest.raises(TypeError):
        quantize_4bit(quantize_4bit(torch.randn(64)))
