import pytest
import torch

from quant import (
    CODEBOOKS,
    FP4_CODEBOOK,
    INT4_CODEBOOK,
    NF4_CODEBOOK,
    UNIFORM_CODEBOOK,
    dequantize_4bit,
    normal_float_codebook,
    quantize_4bit,
)
from quant.codebooks import check_codebook, codebook_name

NUMBERS = list(CODEBOOKS.items())


def test_nf4_is_made_of_normal_quantiles():
    torch.testing.assert_close(normal_float_codebook(), NF4_CODEBOOK, atol=2e-7, rtol=0)


def test_nf4_has_seven_negative_levels_a_zero_and_eight_positive_ones():
    assert (NF4_CODEBOOK < 0).sum() == 7
    assert NF4_CODEBOOK[7] == 0
    assert (NF4_CODEBOOK > 0).sum() == 8


def test_fp4_stands_in_the_order_of_its_bits():
    twelfths = torch.tensor([0, 0.0625, 8, 12, 4, 6, 2, 3])
    torch.testing.assert_close(FP4_CODEBOOK[:8], twelfths / 12)
    assert torch.equal(FP4_CODEBOOK[8:], -FP4_CODEBOOK[:8])


def test_int4_is_minus_eight_to_seven_over_seven():
    torch.testing.assert_close(INT4_CODEBOOK * 7, torch.arange(-8.0, 8.0))


def test_the_uniform_grid_has_equal_steps_and_no_zero():
    """16 is even: a grid that is mirrored about 0 has its two middle levels half a step beside it."""
    torch.testing.assert_close(UNIFORM_CODEBOOK, torch.linspace(-1, 1, 16))
    assert torch.equal(UNIFORM_CODEBOOK, -UNIFORM_CODEBOOK.flip(0))
    torch.testing.assert_close(UNIFORM_CODEBOOK.abs().min(), torch.tensor(1 / 15))


@pytest.mark.parametrize(("name", "codebook"), NUMBERS)
def test_a_codebook_is_known_by_its_numbers(name, codebook):
    assert codebook_name(codebook.clone()) == name
    assert codebook_name(codebook + 0.01) == "own"


@pytest.mark.parametrize(
    ("codebook", "error", "message"),
    [
        (torch.zeros(15), ValueError, r"16 levels.*\(15,\)"),
        (torch.zeros(4, 4), ValueError, r"\(4, 4\)"),
        (torch.tensor([float("nan")] + [0.0] * 15), ValueError, "finite"),
        (torch.tensor([float("inf")] + [0.0] * 15), ValueError, "finite"),
        (torch.tensor([-3.0] + [0.0] * 15), ValueError, r"lie in \[-1, 1\].*; 3.0 is too far"),
        (torch.arange(16), TypeError, "int64"),
    ],
)
def test_a_codebook_without_16_finite_levels_in_reach_is_refused(codebook, error, message):
    with pytest.raises(error, match=message):
        check_codebook(codebook)
    with pytest.raises(error, match=message):
        quantize_4bit(torch.randn(32), codebook)


def test_a_codebook_of_another_type_is_taken_in_float32_and_without_a_graph():
    weight, trained = torch.randn(32), NF4_CODEBOOK.double().requires_grad_()

    quantized = quantize_4bit(weight, trained)

    assert torch.equal(dequantize_4bit(quantized), dequantize_4bit(quantize_4bit(weight)))
    assert not quantized.codebook.requires_grad
