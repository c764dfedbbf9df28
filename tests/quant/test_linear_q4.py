"""LinearQ4: a matrix that stays in a GGUF's four bits, with the rules of Linear4bit."""

import copy
import pickle

import pytest
import torch
from safetensors.torch import load, save
from torch import nn
from torch.nn import functional as F

from peft import LoraConfig, get_peft_model
from quant import Linear4bit, LinearQ4, decode_q4, encode_q4_1
from tests.pretrained.gguf_files import small_tensors, small_values, write_gguf
from tests.quant.test_linear import bytes_saved
from transformer.pretrained.gguf import read_gguf

D_IN, D_OUT = 96, 48
both = pytest.mark.parametrize("minimum", [True, False])


def layer(compute_dtype=torch.float64, bias=True, **settings):
    return LinearQ4.from_linear(nn.Linear(D_IN, D_OUT, bias), compute_dtype=compute_dtype, **settings)


@both
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("compute_dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_forward_is_linear_with_the_decoded_weight(compute_dtype, bias, minimum):
    quantized, x = layer(compute_dtype, bias, minimum=minimum), torch.randn(3, 5, D_IN)
    b = quantized.bias.to(compute_dtype) if bias else None
    expected = F.linear(x.to(compute_dtype), quantized.dequantized(compute_dtype), b).to(x.dtype)
    assert torch.equal(quantized(x), expected)


@both
def test_gradients_pass_the_numerical_check(minimum):
    linear = nn.Linear(32, 5).double()
    quantized = LinearQ4.from_linear(linear, minimum, torch.float64)
    x = torch.randn(2, 3, 32, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, _: quantized(x), (x, quantized.bias))
    assert [name for name, _ in quantized.named_parameters()] == ["bias"]


@pytest.mark.parametrize("make", [LinearQ4, Linear4bit])
@pytest.mark.parametrize("shape", [(0, 32), (2, 0, 32)])
def test_an_empty_batch_has_an_empty_gradient(make, shape):
    quantized = make.from_linear(nn.Linear(32, 5))
    x = torch.zeros(shape, requires_grad=True)

    quantized(x).sum().backward()

    assert x.grad.shape == shape
    assert torch.equal(quantized.bias.grad, torch.zeros(5))


@both
def test_the_gradient_is_the_decoded_weight_in_a_layer_without_a_bias(minimum):
    quantized = layer(bias=False, minimum=minimum)
    x = torch.randn(3, 5, D_IN, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(3, 5, D_OUT, dtype=torch.float64)

    quantized(x).backward(upstream)

    torch.testing.assert_close(x.grad, upstream @ quantized.dequantized(torch.float64))


@both
def test_only_the_blocks_are_saved_for_the_backward_pass(minimum):
    quantized = LinearQ4.from_linear(nn.Linear(512, 512, bias=False), minimum, torch.float32)
    x = torch.randn(2, 512, requires_grad=True)
    kept, _ = bytes_saved(lambda: quantized(x))
    assert kept == quantized.nbytes == 512 * 512 * (5 if minimum else 4.5) / 8


def test_bits_per_weight_are_5_and_4_and_a_half():
    assert layer(minimum=True).bits_per_parameter == 5
    assert layer(minimum=False).bits_per_parameter == 4.5
    assert LinearQ4(D_IN, D_OUT, device="meta").nbytes == layer().nbytes


def test_under_autocast_the_product_stays_in_its_type():
    quantized, x = layer(torch.bfloat16), torch.randn(2, D_IN)
    outside = quantized(x)
    with torch.autocast("cpu", torch.bfloat16):
        inside = quantized(x)
    assert (outside.dtype, inside.dtype) == (torch.float32, torch.bfloat16)
    assert torch.equal(inside.float(), outside)


@both
@pytest.mark.parametrize("name", ["self_attn.q_proj", "mlp.down_proj"])
def test_a_gguf_s_matrix_is_taken_as_it_is(tmp_path, rng, minimum, name):
    tensors = small_tensors(rng, kind="Q4_1" if minimum else "Q4_0")
    file = read_gguf(write_gguf(tmp_path / "a.gguf", small_values(), tensors))
    name = f"model.layers.0.{name}.weight"

    quantized = LinearQ4.from_blocks(**file.packed(name))

    assert torch.equal(quantized.dequantized(), file.tensors[name])
    assert quantized.minimum == minimum


@both
def test_the_state_fits_an_empty_layer_and_a_file(minimum):
    quantized, empty = layer(minimum=minimum), LinearQ4(D_IN, D_OUT, True, minimum, torch.float64)
    empty.load_state_dict(load(save(quantized.state_dict())))
    x = torch.randn(2, D_IN)
    assert torch.equal(empty(x), quantized(x))


def test_an_empty_layer_has_the_type_that_was_asked_for():
    empty = LinearQ4(32, 1, dtype=torch.bfloat16)
    assert empty.bias.dtype == empty.dequantized().dtype == torch.bfloat16


def test_the_weight_comes_back_in_its_type():
    assert LinearQ4.from_linear(nn.Linear(D_IN, D_OUT, dtype=torch.bfloat16)).dequantized().dtype == torch.bfloat16


@both
def test_the_layer_is_called_by_its_name_in_ggml(minimum):
    quantized = layer(minimum=minimum)
    assert quantized.format == ("q4_1" if minimum else "q4_0")
    assert f"96, 48, bias=True, {quantized.format.upper()}, " in repr(quantized)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("codes", lambda codes: codes[:, :-1], r"codes is torch.uint8 \(48, 47\), expected torch.uint8 \(48, 48\)"),
        ("codes", lambda codes: codes.float(), r"codes is torch.float32"),
        ("scales", lambda scales: scales.float(), r"scales is torch.float32"),
        ("minimums", lambda minimums: minimums / 0, r"minimums is corrupted: it holds NaN or infinite"),
    ],
)
def test_a_state_that_is_cut_or_corrupted_is_refused_by_name(name, change, message):
    model = nn.Sequential(layer())
    state = model.state_dict()
    state[f"0.{name}"] = change(state[f"0.{name}"])
    with pytest.raises(RuntimeError, match=message):
        model.load_state_dict(state)


def test_a_state_of_the_other_kind_is_refused():
    with pytest.raises(RuntimeError, match=r"Unexpected key.*minimums"):
        layer(minimum=False).load_state_dict(layer(minimum=True).state_dict())
    with pytest.raises(RuntimeError, match=r"Missing key.*minimums"):
        layer(minimum=True).load_state_dict(layer(minimum=False).state_dict())


@both
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copy_is_equal_and_apart(copied, minimum):
    quantized = layer(minimum=minimum)
    other = copied(quantized)
    assert torch.equal(other.dequantized(), quantized.dequantized())
    other.codes.zero_()
    assert quantized.codes.any()


@pytest.mark.parametrize("cast", ["bfloat16", "half", "double"])
def test_a_cast_of_the_model_rounds_nothing(cast):
    quantized = layer()
    before = quantized.dequantized()
    getattr(nn.Sequential(quantized), cast)()
    assert torch.equal(quantized.dequantized(), before)
    assert quantized.bias.dtype != torch.float32


def test_reading_or_setting_the_weight_says_what_to_do():
    with pytest.raises(AttributeError, match=r"a LinearQ4 has no weight.*dequantized\(\)"):
        _ = layer().weight
    with pytest.raises(TypeError, match=r"cannot train a weight"):
        layer().weight = nn.Parameter(torch.zeros(D_OUT, D_IN))


@both
def test_it_becomes_an_ordinary_layer_and_the_same_one_again(minimum):
    quantized, x = layer(torch.float32, minimum=minimum).eval(), torch.randn(2, D_IN)
    linear = quantized.to_linear()
    assert torch.equal(linear(x), quantized(x))
    assert not linear.training
    again = LinearQ4.from_linear(linear, **quantized.settings)
    assert again.settings == quantized.settings
    assert (again.dequantized() - quantized.dequantized()).abs().max() < 2e-4  # d in 16 bits is taken anew


def test_the_linear_layer_stays_as_it_was():
    linear = nn.Linear(D_IN, D_OUT).requires_grad_(False).eval()
    before = copy.deepcopy(linear.state_dict())
    quantized = LinearQ4.from_linear(linear)
    with torch.no_grad():
        quantized.bias += 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in linear.state_dict().items())
    assert not quantized.bias.requires_grad
    assert not quantized.training
    assert torch.equal(quantized.dequantized(), decode_q4(*encode_q4_1(linear.weight)))


@both
def test_lora_trains_on_it_and_a_merge_warns(minimum):
    base = nn.Sequential(layer(torch.float32, minimum=minimum))
    x, before = torch.randn(4, D_IN), base[0].dequantized()
    off = base(x)
    model = get_peft_model(base, LoraConfig(r=3, lora_alpha=6, target_modules="0"))
    model(x).square().sum().backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1
    on = model(x)
    with model.disable_adapter():
        assert torch.equal(model(x), off)
    with pytest.warns(UserWarning, match="quantized base keeps the rounding"):
        merged = model.merge_and_unload()
    torch.testing.assert_close(merged(x), on)
    assert type(merged[0]) is nn.Linear
    assert not torch.equal(merged[0].weight, before)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"blocks of 32 cannot have 70 inputs and 48 outputs"):
        LinearQ4(70, 48)
    with pytest.raises(ValueError, match=r"cannot have 32 inputs and 0 outputs"):
        LinearQ4(32, 0)
    with pytest.raises(TypeError, match=r"compute_dtype must be a floating-point type, not torch.int8"):
        layer(torch.int8)
    with pytest.raises(TypeError):
        LinearQ4.from_linear(layer())
    codes, scales, minimums = encode_q4_1(torch.randn(4, 64))
    with pytest.raises(ValueError, match=r"scales is torch.float16 \(4, 1\), expected torch.float16 \(4, 2\)"):
        LinearQ4.from_blocks(codes, scales[:, :1], minimums[:, :1])
