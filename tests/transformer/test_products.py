"""Large products by oneDNN: the numbers and gradients of torch's, and only where they are meant to be."""

from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from peft import LoraConfig, get_peft_model
from transformer import DecoderOnly, Transformer, TransformerConfig, generate, products
from transformer.learning.texts import NextTokens
from transformer.products import LARGE, MANY, STEP, faster_products

READ_ANEW = products.mkl_takes_the_whole_width.__wrapped__

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")


@pytest.fixture(autouse=True)
def not_from_intel(monkeypatch):
    """A processor of which MKL takes half of the width, whichever this one is."""
    monkeypatch.setattr(products, "mkl_takes_the_whole_width", lambda: False)


@pytest.fixture
def shapes(monkeypatch):
    """Of each product that oneDNN is asked for: rows, d_in, d_out."""
    asked = []
    by_onednn = products.by_onednn

    def noted(x, weight, bias=None):
        asked.append((len(x), weight.shape[1], weight.shape[0]))
        return by_onednn(x, weight, bias)

    monkeypatch.setattr(products, "by_onednn", noted)
    return asked


def frozen(d_in=384, d_out=700, bias=True):
    torch.manual_seed(0)
    return nn.Linear(d_in, d_out, bias).requires_grad_(False)


def pulled(linear, x, context):
    """What the layer says of x inside a context, and the gradient of x."""
    x = x.clone().requires_grad_()
    with context:
        y = linear(x)
    (y * torch.linspace(-1, 1, y.shape[-1])).sum().backward()
    return y.detach(), x.grad


@pytest.mark.parametrize("bias", [True, False])
def test_numbers_and_gradients_are_those_of_the_plain_product(shapes, bias):
    linear, x = frozen(bias=bias), torch.randn(3, MANY // 2 + 5, 384)

    found, plain = pulled(linear, x, faster_products()), pulled(linear, x, nullcontext())

    rows = 448  # 3 · 133 = 399, filled up
    assert shapes == [(rows, 384, 700), (rows, 700, 384)]
    for ours, expected in zip(found, plain, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


def test_a_matrix_of_just_so_many_numbers_is_large(shapes):
    with faster_products():
        frozen(512, LARGE // 512)(torch.ones(MANY, 512))

    assert shapes == [(MANY, 512, LARGE // 512)]


def test_programs_are_few_however_many_lengths_there_are(shapes):
    linear = frozen()
    with faster_products():
        for rows in range(MANY, MANY + 2 * STEP):
            linear(torch.ones(rows, 384))

    assert {rows for rows, _, _ in shapes} == {MANY, MANY + STEP, MANY + 2 * STEP}


@pytest.mark.parametrize(
    ("linear", "x"),
    [
        pytest.param(frozen().requires_grad_(), torch.randn(MANY, 384), id="a matrix that learns"),
        pytest.param(frozen().double(), torch.randn(MANY, 384).double(), id="float64"),
        pytest.param(frozen(), torch.randn(MANY - 1, 384), id="few rows"),
        pytest.param(frozen(384, LARGE // 384), torch.randn(MANY, 384), id="a small matrix"),
    ],
)
def test_whatever_else_comes_keeps_its_bits(shapes, linear, x):
    found, plain = pulled(linear, x, faster_products()), pulled(linear, x, nullcontext())

    assert shapes == []
    assert all(torch.equal(ours, expected) for ours, expected in zip(found, plain, strict=True))


def test_a_bias_that_learns_gets_its_gradient(shapes):
    linear = frozen()
    linear.bias.requires_grad_()
    pulled(linear, torch.randn(MANY, 384), faster_products())

    assert shapes == []
    assert linear.bias.grad is not None


def test_without_gradients_no_matrix_learns(shapes):
    with torch.inference_mode(), faster_products():
        frozen().requires_grad_()(torch.randn(MANY, 384))

    assert len(shapes) == 1


def test_autocast_chooses_as_ever(shapes):
    linear, x = frozen(), torch.randn(MANY, 384)
    with torch.autocast("cpu", torch.bfloat16):
        with faster_products():
            found = linear(x)
        assert torch.equal(found, linear(x))

    assert shapes == []
    assert found.dtype == torch.bfloat16


def test_a_hook_on_a_layer_is_called(shapes):
    linear, seen = frozen(), []
    linear.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    with faster_products():
        linear(torch.randn(MANY, 384))

    assert seen == [(MANY, 700)]


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_step_of_lora_asks_for_the_frozen_matrices_and_gets_the_same_gradients(shapes, monkeypatch, checkpointing):
    config = TransformerConfig(
        700, 384, 6, 0, 2, 768, 0.0, 128, norm="pre", norm_kind="rms", bias=False, positions="rotary", attention="fused"
    )
    torch.manual_seed(0)
    lora = LoraConfig(r=4, target_modules=["fc1", "fc2"], init_lora_weights=False)
    model = get_peft_model(DecoderOnly(config), lora).train()
    model.gradient_checkpointing(checkpointing)
    ids = torch.randint(3, 700, (3, 100))
    before = torch.ones(3, 100, dtype=torch.bool)

    def gradients():
        model.zero_grad()
        NextTokens(model)(ids, None, before).logsumexp(dim=-1).mean().backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}

    found = gradients()
    asked = len(shapes)
    monkeypatch.setattr(products, "onednn_pays", lambda weight: False)
    plain = gradients()

    forward = 2 * 2  # two layers of two matrices
    backward = forward - 1  # before the first matrix nothing learns
    assert asked == len(shapes) == forward + backward + checkpointing * 2 * 2
    for name, expected in plain.items():
        torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-7)


def test_in_use_a_technique_that_adds_nothing_gives_the_base_s_numbers_to_the_last_bit(shapes):
    """So an adapter whose file was not found can be told from one that learnt: its change is exactly 0."""
    config = TransformerConfig(700, 384, 6, 0, 1, 768, 0.0, 128, norm="pre", norm_kind="rms", positions="rotary")
    torch.manual_seed(0)
    base = DecoderOnly(config).eval()
    ids = torch.randint(3, 700, (3, 100))
    expected = base(ids)

    assert torch.equal(get_peft_model(base, LoraConfig(target_modules=["fc1", "fc2"])).eval()(ids), expected)
    assert shapes == []


def test_what_torch_compile_looks_at_is_left_to_it(monkeypatch):
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)

    assert isinstance(faster_products(), nullcontext)


def test_an_intel_processor_keeps_torch_s_products(monkeypatch):
    monkeypatch.setattr(products, "mkl_takes_the_whole_width", lambda: True)

    assert isinstance(faster_products(), nullcontext)
    assert not products.onednn_pays(frozen().weight)


@pytest.mark.parametrize("maker", ["GenuineIntel", "AuthenticAMD"])
@pytest.mark.parametrize("linux", [True, False])
def test_who_made_the_processor_is_read_where_the_system_says_it(maker, linux, monkeypatch, tmp_path):
    told = tmp_path / "cpuinfo"
    if linux:
        told.write_text(f"processor\t: 0\nvendor_id\t: {maker}\n")
    monkeypatch.setattr(products, "CPUINFO", told)
    monkeypatch.setenv("PROCESSOR_IDENTIFIER", f"Intel64 Family 6 Model 207, {'' if linux else maker}")

    assert READ_ANEW() == (maker == "GenuineIntel")


def test_linear_is_the_function_that_modules_call():
    """`FasterProducts` looks for it by identity."""
    assert F.linear is torch.nn.functional.linear is torch._C._nn.linear


def test_a_fast_generation_reads_its_sources_by_them(shapes):
    config = TransformerConfig(50, 24, 3, 2, 1, 40, 0.0, 32)
    torch.manual_seed(0)
    model, source = Transformer(config).eval(), torch.randint(3, 50, (16, 20))

    fast, clear = (generate(model, source, 4, fast=fast) for fast in (True, False))

    encoder, memory = 2 * 6, 1 * 2
    assert [rows for rows, _, _ in shapes] == [320] * (encoder + memory)
    assert torch.equal(fast, clear)
