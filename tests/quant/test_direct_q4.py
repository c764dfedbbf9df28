"""DirectQ4: a GGUF's four bits, read as they lie."""

from inspect import unwrap

import pytest
import torch
from torch import nn

from quant import DirectQ4, LinearQ4, encode_q4_0, encode_q4_1

D_IN, D_OUT = 96, 48
both = pytest.mark.parametrize("encode", [encode_q4_1, encode_q4_0], ids=["Q4_1", "Q4_0"])


def layers(encode, bias=True) -> tuple[DirectQ4, LinearQ4]:
    linear = nn.Linear(D_IN, D_OUT, bias)
    with torch.no_grad():
        linear.weight.add_(0.05)  # not about 0: the minimum says something
    blocks = encode(linear.weight)
    return DirectQ4.from_blocks(*blocks, bias=linear.bias), LinearQ4.from_blocks(*blocks, bias=linear.bias)


@both
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_it_is_the_product_with_the_decoded_weight(encode, bias, dtype):
    direct, decoded = layers(encode, bias)
    x = torch.randn(3, 5, D_IN, dtype=dtype)

    with torch.no_grad():
        y = direct.to(dtype)(x)

    exact = nn.functional.linear(
        x.double(), decoded.dequantized(torch.float64), decoded.bias.double() if bias else None
    )
    assert (y.dtype, y.shape) == (dtype, (3, 5, D_OUT))
    torch.testing.assert_close(y.double(), exact, rtol=0.02, atol=0.02 * exact.std().item())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_layer_in_float32_answers_in_the_type_of_the_input(dtype):
    direct, _ = layers(encode_q4_1)
    assert direct(torch.randn(2, D_IN, dtype=dtype)).dtype == dtype


def test_scales_of_thousands_do_not_overflow():
    """8 d is beyond 65504, the largest number of 16 bits, where d is not."""
    blocks = encode_q4_1(torch.empty(D_OUT, D_IN).uniform_(-6e4, 1e5))
    x = torch.randn(5, D_IN)

    exact = LinearQ4.from_blocks(*blocks, compute_dtype=torch.float32)(x)

    torch.testing.assert_close(DirectQ4.from_blocks(*blocks)(x), exact, rtol=0.02, atol=0.02 * exact.std().item())


def test_a_cast_leaves_the_constants_to_the_kernel_and_casts_the_bias():
    direct = DirectQ4.from_blocks(*encode_q4_1(torch.randn(D_OUT, D_IN)), bias=torch.ones(D_OUT)).double()

    assert direct.constants.dtype == torch.bfloat16
    assert direct.bias.dtype == torch.float64


def test_the_bias_is_a_copy():
    bias = torch.ones(D_OUT)
    direct = DirectQ4.from_blocks(*encode_q4_1(torch.randn(D_OUT, D_IN)), bias=bias)
    bias.zero_()
    assert (direct.bias == 1).all()


@both
def test_five_bits_are_kept_of_a_weight(encode):
    direct, _ = layers(encode, bias=False)

    assert 8 * direct.nbytes == (4 + 2 * 16 / 32) * D_IN * D_OUT


def test_it_is_not_trained():
    direct, _ = layers(encode_q4_1)

    with pytest.raises(ValueError, match="answers and is not trained: take LinearQ4"):
        direct(torch.randn(2, D_IN, requires_grad=True))
    assert not list(direct.parameters())


def test_it_answers_without_a_graph_whether_or_not_gradients_are_on():
    direct, x = layers(encode_q4_1)[0], torch.randn(2, D_IN)

    y = direct(x)

    assert not y.requires_grad
    with torch.no_grad():
        assert torch.equal(direct(x.requires_grad_()), y)


def test_an_empty_batch_is_answered():
    assert layers(encode_q4_1)[0](torch.zeros(2, 0, D_IN)).shape == (2, 0, D_OUT)


def test_an_input_of_another_width_is_refused():
    with pytest.raises(ValueError, match="the layer reads 96 features, and x is"):
        layers(encode_q4_1)[0](torch.randn(2, D_IN + 1))


def test_outputs_that_the_kernel_cannot_read_are_refused():
    with pytest.raises(ValueError, match="reads 16 rows together on a CPU, not 40 rows on cpu: take LinearQ4"):
        DirectQ4.from_blocks(*encode_q4_1(torch.randn(40, D_IN)))


@pytest.mark.parametrize("kind", [DirectQ4, LinearQ4])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bias": torch.ones(1)}, r"a layer of 48 outputs has as many biases, not \(1,\)"),
        ({"scales": torch.ones(48, 1).half()}, r"scales is torch.float16 \(48, 1\), expected torch.float16 \(48, 3\)"),
        ({"minimums": torch.ones(1, 3).half()}, r"minimums is torch.float16 \(1, 3\), expected"),
        ({"codes": torch.zeros(48, 24).byte()}, "codes of 48 outputs and 48 inputs are no blocks of 32"),
    ],
)
def test_tensors_of_another_layer_are_refused(kind, change, message):
    parts = dict(zip(("codes", "scales", "minimums"), encode_q4_1(torch.randn(D_OUT, D_IN))))

    with pytest.raises(ValueError, match=message):
        unwrap(kind.from_blocks.__func__)(kind, **parts | change)
