import numpy as np
import pytest
import torch

from quant import dequantize_affine, quantize_affine
from tests.reference import quantization as reference


@pytest.mark.parametrize("shape", [(3, 50), (2, 64), (1,), (65,)])
def test_weights_are_those_of_the_loops(shape):
    weight = torch.randn(shape) + 0.3
    restored = dequantize_affine(quantize_affine(weight, block_size=32))
    np.testing.assert_allclose(restored.numpy(), reference.affine(weight.numpy(), 32).reshape(shape), atol=1e-5)


def test_both_ends_of_a_block_are_kept():
    weight = torch.randn(4, 64)
    restored = dequantize_affine(quantize_affine(weight))
    torch.testing.assert_close(restored.amin(dim=1), weight.amin(dim=1))
    torch.testing.assert_close(restored.amax(dim=1), weight.amax(dim=1))


def test_a_block_of_equal_weights_is_kept_exactly():
    assert torch.equal(dequantize_affine(quantize_affine(torch.full((20,), 1.7))), torch.full((20,), 1.7))


def test_it_takes_five_bits():
    assert quantize_affine(torch.randn(8, 64)).bits_per_parameter == 5


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_type_comes_back(dtype):
    assert dequantize_affine(quantize_affine(torch.randn(3, 20).to(dtype))).dtype == dtype


def test_a_parameter_that_trains_is_quantized_without_a_graph():
    quantized = quantize_affine(torch.nn.Parameter(torch.randn(3, 32)))
    assert not dequantize_affine(quantized).requires_grad


def test_no_code_is_above_15_where_the_step_is_rounded():
    """Multiples of float32's smallest number: a step of 22/15 becomes 1, and 22 steps of 1 would not fit four bits."""
    smallest = 2.0**-149
    weight = torch.arange(23) * smallest
    assert torch.equal(dequantize_affine(quantize_affine(weight)), weight.clamp(max=15 * smallest))


def test_bad_weights_are_refused():
    with pytest.raises(ValueError, match=r"power of two"):
        quantize_affine(torch.randn(64), block_size=48)
    with pytest.raises(ValueError, match=r"1 of 3 weights"):
        quantize_affine(torch.tensor([1.0, float("nan"), 2.0]))
    with pytest.raises(TypeError, match=r"int64"):
        quantize_affine(torch.arange(16))
    with pytest.raises(ValueError, match=r"nothing to quantize"):
        quantize_affine(torch.empty(0))
