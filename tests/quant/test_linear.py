import copy
import pickle

import pytest
import torch
from safetensors.torch import load, save
from torch import nn
from torch.nn import functional as F

from quant import FP4_CODEBOOK, INT4_CODEBOOK, Linear4bit, dequantize_4bit, quantize_4bit
from quant.packed import check_input

D_IN, D_OUT = 70, 48
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


def layer(compute_dtype=torch.float64, bias=True, **settings):
    return Linear4bit.from_linear(nn.Linear(D_IN, D_OUT, bias), compute_dtype=compute_dtype, **settings)


def bytes_saved(function):
    saved = {}

    def note(tensor):
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = function()
    return sum(saved.values()), output


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("double_quant", [True, False])
@pytest.mark.parametrize("compute_dtype", DTYPES)
def test_forward_is_linear_with_the_restored_weight(compute_dtype, bias, double_quant):
    quantized = layer(compute_dtype, bias, double_quant=double_quant)
    x = torch.randn(3, 5, D_IN)
    weight = quantized.dequantized(compute_dtype)
    b = quantized.bias.to(compute_dtype) if bias else None

    assert torch.equal(quantized(x), F.linear(x.to(compute_dtype), weight, b).to(x.dtype))


@pytest.mark.parametrize("double_quant", [True, False])
def test_it_holds_the_weight_and_the_bias_of_the_linear_layer(double_quant):
    linear = nn.Linear(D_IN, D_OUT)
    quantized = Linear4bit.from_linear(linear, FP4_CODEBOOK, 32, double_quant=double_quant)
    expected = quantize_4bit(linear.weight, FP4_CODEBOOK, 32, double_quant)
    assert torch.equal(quantized.dequantized(), dequantize_4bit(expected))
    assert torch.equal(quantized.bias, linear.bias)


def test_a_layer_of_one_weight_keeps_it_exactly():
    linear, x = nn.Linear(1, 1), torch.randn(3, 1)
    assert torch.equal(Linear4bit.from_linear(linear, compute_dtype=torch.float32)(x), linear(x))


@pytest.mark.parametrize("compute_dtype", DTYPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_output_and_the_gradient_have_the_type_of_the_input(dtype, compute_dtype):
    x = torch.randn(2, D_IN, dtype=dtype, requires_grad=True)
    y = layer(compute_dtype)(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == dtype


def test_the_gradient_is_the_restored_weight():
    quantized = layer()
    x = torch.randn(3, 5, D_IN, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(3, 5, D_OUT, dtype=torch.float64)

    quantized(x).backward(upstream)

    assert torch.equal(x.grad, upstream @ quantized.dequantized(torch.float64))
    torch.testing.assert_close(quantized.bias.grad.double(), upstream.sum(dim=(0, 1)))


@pytest.mark.parametrize("shape", [(7,), (2, 7), (2, 3, 7)])
def test_gradients_pass_the_numerical_check(shape):
    linear = nn.Linear(7, 5).double()
    quantized = Linear4bit.from_linear(linear, block_size=16, compute_dtype=torch.float64)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, _: quantized(x), (x, quantized.bias))
    assert torch.autograd.gradgradcheck(quantized, (x,))


def test_only_the_packed_weight_is_saved_for_the_backward_pass():
    quantized = Linear4bit.from_linear(nn.Linear(512, 512, bias=False), compute_dtype=torch.float32)
    x = torch.randn(2, 512, requires_grad=True)

    packed, _ = bytes_saved(lambda: quantized(x))
    plain, _ = bytes_saved(lambda: F.linear(x, quantized.dequantized().requires_grad_(False)))

    assert packed == quantized.nbytes
    assert packed < 0.14 * plain


def test_autocast_does_not_change_the_compute_type():
    quantized, x = layer(torch.float32), torch.randn(2, D_IN, requires_grad=True)
    expected = quantized(x)
    with torch.autocast("cpu", torch.bfloat16):
        y = quantized(x)
    y.sum().backward()
    assert torch.equal(y, expected)


def test_under_autocast_the_product_stays_in_its_type():
    """As with any linear layer under autocast; outside, it is given back in the type of x."""
    quantized, x = layer(torch.bfloat16), torch.randn(2, D_IN)
    outside = quantized(x)
    with torch.autocast("cpu", torch.bfloat16):
        inside = quantized(x)
    assert (outside.dtype, inside.dtype) == (torch.float32, torch.bfloat16)
    assert torch.equal(inside.float(), outside)


@pytest.mark.parametrize("settings", [{"double_quant": False}, {"codebook": FP4_CODEBOOK}, {"block_size": 16}])
def test_the_state_fits_an_empty_layer_and_a_file(settings):
    quantized = layer(**settings)
    empty = Linear4bit(D_IN, D_OUT, **(settings | {"compute_dtype": torch.float64}))

    empty.load_state_dict(load(save(quantized.state_dict())))

    x = torch.randn(2, D_IN)
    assert torch.equal(empty(x), quantized(x))


def test_an_empty_layer_has_the_codebook_and_the_type_that_were_asked_for():
    empty = Linear4bit(D_IN, D_OUT, codebook=FP4_CODEBOOK, dtype=torch.bfloat16)
    assert torch.equal(empty.codebook, FP4_CODEBOOK)
    assert empty.bias.dtype == empty.dequantized().dtype == torch.bfloat16


def test_the_codebook_comes_with_the_codes():
    quantized, empty = layer(codebook=FP4_CODEBOOK), Linear4bit(D_IN, D_OUT)
    empty.load_state_dict(quantized.state_dict())
    assert torch.equal(empty.dequantized(), quantized.dequantized())


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("codes", lambda codes: codes[:-1], r"codes is torch.uint8 \(1679,\), expected torch.uint8 \(1680,\)"),
        ("codes", lambda codes: codes.float(), r"codes is torch.float32"),
        ("scale_codes", lambda codes: codes[:10], r"scale_codes is torch.uint8 \(10,\)"),
        ("scale_constants", lambda constants: constants.bfloat16(), r"scale_constants is torch.bfloat16"),
        ("scale_constants", lambda constants: constants * float("nan"), r"scale_constants is corrupted"),
        ("scale_constants", lambda constants: constants.index_fill(0, torch.tensor([1]), torch.nan), "is corrupted"),
        ("codebook", lambda codebook: codebook / 0, r"codebook is corrupted"),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_a_state_that_is_cut_or_corrupted_is_refused_by_name(name, change, message, strict):
    model = nn.Sequential(layer())
    state = model.state_dict()
    before = model[0].dequantized()
    state[f"0.{name}"] = change(state[f"0.{name}"])
    with pytest.raises(RuntimeError, match=message):
        model.load_state_dict(state, strict)
    assert torch.equal(model[0].dequantized(), before)


def test_a_missing_tensor_is_refused_by_name():
    quantized = layer()
    state = quantized.state_dict()
    del state["scale_codes"]
    with pytest.raises(RuntimeError, match=r"Missing.*scale_codes"):
        quantized.load_state_dict(state)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copy_is_equal_and_apart(copied):
    quantized = layer()
    other = copied(quantized)
    assert torch.equal(other.dequantized(), quantized.dequantized())
    other.codes.zero_()
    assert quantized.codes.any()


@pytest.mark.parametrize("cast", ["bfloat16", "half", "double"])
@pytest.mark.parametrize("double_quant", [True, False])
def test_a_cast_of_the_model_rounds_neither_codes_nor_scales(cast, double_quant):
    quantized = layer(double_quant=double_quant)
    before = {name: tensor.clone() for name, tensor in quantized.named_buffers()}

    getattr(nn.Sequential(quantized), cast)()

    for name, tensor in quantized.named_buffers():
        assert tensor.dtype == before[name].dtype
        assert torch.equal(tensor, before[name])
    assert quantized.bias.dtype != torch.float32


def test_a_cast_and_a_move_at_once_keep_the_types():
    quantized = layer()
    before = {name: tensor.dtype for name, tensor in quantized.named_buffers()}

    quantized.to("meta", torch.bfloat16)

    assert {name: tensor.dtype for name, tensor in quantized.named_buffers()} == before
    assert all(tensor.is_meta for tensor in quantized.state_dict().values())


def test_reading_or_setting_the_weight_says_what_to_do():
    quantized = layer()
    with pytest.raises(AttributeError, match=r"frozen in four bits.*dequantized\(\)"):
        _ = quantized.weight
    with pytest.raises(TypeError, match=r"cannot train a weight"):
        quantized.weight = nn.Parameter(torch.zeros(D_OUT, D_IN))
    assert [name for name, _ in quantized.named_parameters()] == ["bias"]


@pytest.mark.parametrize("bias", [True, False])
def test_it_becomes_an_ordinary_layer_again(bias):
    quantized = layer(torch.float32, bias).eval()
    x = torch.randn(2, D_IN)

    linear = quantized.to_linear()

    assert type(linear) is nn.Linear
    assert not linear.training
    assert linear.weight.requires_grad
    assert torch.equal(linear(x), quantized(x))
    assert quantized.to_linear(torch.float64).weight.dtype == torch.float64


def test_the_linear_layer_stays_as_it_was():
    linear = nn.Linear(D_IN, D_OUT).requires_grad_(False).eval()
    before = copy.deepcopy(linear.state_dict())

    quantized = Linear4bit.from_linear(linear)
    with torch.no_grad():
        quantized.bias += 1

    assert all(torch.equal(tensor, before[name]) for name, tensor in linear.state_dict().items())
    assert not quantized.bias.requires_grad
    assert not quantized.training


def test_another_layer_is_quantized_alike():
    quantized = layer(codebook=INT4_CODEBOOK, block_size=32, double_quant=False)
    again = Linear4bit.from_linear(quantized.to_linear(), **quantized.settings)
    assert torch.equal(again.codes, quantized.codes)
    assert torch.equal(again.dequantized(), quantized.dequantized())


def test_bytes_are_counted_without_memory_on_the_meta_device():
    real = layer()
    assert Linear4bit(D_IN, D_OUT, device="meta").nbytes == real.nbytes
    assert Linear4bit.from_linear(nn.Linear(D_IN, D_OUT, device="meta")).nbytes == real.nbytes
    assert Linear4bit(D_IN, D_OUT, device="meta").codes.is_meta


def test_on_the_meta_device_a_product_has_a_shape_and_no_numbers():
    counted = Linear4bit(D_IN, D_OUT, device="meta")
    y = counted(torch.empty(3, D_IN, device="meta"))
    assert y.is_meta
    assert y.shape == (3, D_OUT)
    assert counted.codebook.is_meta


def test_the_defaults_are_nf4_in_bfloat16_with_double_quantization():
    quantized = Linear4bit.from_linear(nn.Linear(D_IN, D_OUT))
    assert "70, 48, bias=True, codebook=nf4, block_size=64, double_quant=True" in repr(quantized)
    assert quantized.compute_dtype == torch.bfloat16


def test_bad_arguments_are_refused():
    with pytest.raises(TypeError, match=r"compute_dtype must be a floating-point type, not torch.int8"):
        layer(torch.int8)
    with pytest.raises(ValueError, match=r"not 0 and 48"):
        Linear4bit(0, 48)
    with pytest.raises(ValueError, match=r"power of two"):
        Linear4bit(70, 48, block_size=63)
    with pytest.raises(TypeError):
        Linear4bit.from_linear(layer())


def test_an_input_of_integers_or_of_another_width_is_refused():
    with pytest.raises(TypeError, match=r"floating-point numbers, not torch.int64"):
        check_input(torch.ones(2, D_IN, dtype=torch.long), D_IN)
    with pytest.raises(ValueError, match=r"the layer reads 70 features, and x is \(2, 71\)"):
        layer()(torch.randn(2, D_IN + 1))
