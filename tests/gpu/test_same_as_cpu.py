"""On a GPU everything computes what it computes on a CPU. Without a GPU these tests are skipped: nothing here needs one."""

import copy
import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from torch import nn

from peft import RECIPES, LoraConfig, PeftModel, get_peft_model
from quant import CODEBOOKS, dequantize_4bit, dequantize_affine, quantize_4bit, quantize_affine
from rlhf import DPOConfig, GRPOConfig, PPOConfig, Preferences, dpo, grpo, ppo
from tests.peft.small import batch, config_of, prepared, small_base, take_steps, technique
from tests.rlhf.test_loops import PAIRS, count_of_fours, start
from tests.rlhf.tiny import prompts
from tests.transformer import reversal
from transformer import DecoderOnly, TransformerConfig, generate, train
from transformer.dropout import apply_dropout
from transformer.fused import fast_dropout

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU, or not asked for: pytest tests/gpu")
METHODS = list(RECIPES)
CLOSE = {"atol": 1e-4, "rtol": 1e-4}


def on_gpu(*tensors: torch.Tensor) -> list[torch.Tensor]:
    return [tensor.cuda() for tensor in tensors]


@pytest.mark.parametrize("attention", ["math", "fused"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_logits_and_gradients(attention: str, norm: str) -> None:
    here = small_base(attention=attention, norm=norm)
    there = copy.deepcopy(here).cuda()
    for model, inputs in ((here, batch()), (there, on_gpu(*batch()))):
        model(*inputs).square().mean().backward()

    torch.testing.assert_close(there(*on_gpu(*batch())).cpu(), here(*batch()), **CLOSE)
    for mine, theirs in zip(here.parameters(), there.parameters(), strict=True):
        torch.testing.assert_close(theirs.grad.cpu(), mine.grad, **CLOSE)


@pytest.mark.parametrize("settings", [{}, {"num_beams": 3}, {"fast": True}, {"fast": True, "num_beams": 3}])
@pytest.mark.parametrize("kind", ["encoder-decoder", "decoder-only"])
def test_generation(kind: str, settings: dict[str, object]) -> None:
    model = small_base()
    source = batch()[0]
    if kind == "decoder-only":
        torch.manual_seed(0)
        config = TransformerConfig(**{**model.config.to_dict(), "num_encoder_layers": 0})
        model, source = DecoderOnly(config).eval(), source.flip(1)  # padding in front

    expected = generate(model, source, 12, **settings)

    assert torch.equal(generate(model.cuda(), source.cuda(), 12, **settings).cpu(), expected)


@pytest.mark.parametrize("method", METHODS)
def test_every_technique_moves_to_the_gpu(method: str) -> None:
    model = technique(method)
    take_steps(model)
    expected = model(*batch())

    moved = model.cuda()

    torch.testing.assert_close(moved(*on_gpu(*batch())).cpu(), expected, **CLOSE)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("method", METHODS)
def test_every_technique_starts_learns_and_is_saved_there(method: str, precision: torch.dtype, tmp_path: Path) -> None:
    model = get_peft_model(prepared(method).cuda(), config_of(method))
    assert {parameter.device.type for parameter in model.parameters()} == {"cuda"}
    inputs = on_gpu(*batch())
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.01)
    losses = []
    for _ in range(5):
        with torch.autocast("cuda", torch.bfloat16, enabled=precision == torch.bfloat16):
            logits = model(*inputs)
        losses.append(nn.functional.cross_entropy(logits.float().flatten(0, 1), inputs[1].flatten()))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    model.save_pretrained(tmp_path)

    again = PeftModel.from_pretrained(prepared(method).cuda(), tmp_path).eval()

    assert losses[-1] < losses[0]
    torch.testing.assert_close(again(*inputs), model.eval()(*inputs), **CLOSE)


@pytest.mark.parametrize("method", ["lora", "vera", "ssf", "qlora"])
def test_a_mixed_batch(method: str) -> None:
    model = technique(method)
    take_steps(model)
    model.add_adapter("second", config_of(method))
    source, target = (torch.cat([x, x]) for x in batch())
    names = ["second", "default", "__base__", "second"]
    expected = model(source, target, adapter_names=names)

    moved = model.cuda()

    torch.testing.assert_close(moved(*on_gpu(source, target), adapter_names=names).cpu(), expected, **CLOSE)


@pytest.mark.parametrize("method", ["lora", "vera", "ssf"])
def test_merging(method: str) -> None:
    model = technique(method)
    take_steps(model)
    expected = model.cuda()(*on_gpu(*batch()))

    torch.testing.assert_close(model.merge_and_unload()(*on_gpu(*batch())), expected, **CLOSE)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("codebook", list(CODEBOOKS))
def test_four_bits_to_the_last_bit(codebook: str, double: bool) -> None:
    weight = torch.randn(64, 130)
    here, there = (
        quantize_4bit(tensor, CODEBOOKS[codebook], double_quant=double) for tensor in (weight, weight.cuda())
    )

    assert torch.equal(there.codes.cpu(), here.codes)
    assert torch.equal(dequantize_4bit(there).cpu(), dequantize_4bit(here))


def test_affine_but_for_the_rounding_of_its_steps() -> None:
    weight = torch.randn(64, 128)
    here, there = (
        quantize_affine(weight),
        quantize_affine(weight.cuda()),
    )  # a GPU divides by 15 as it multiplies by 1/15

    torch.testing.assert_close(there.steps.cpu(), here.steps, rtol=1e-6, atol=0)
    differences = (dequantize_affine(there).cpu() - dequantize_affine(here)).abs()
    assert (differences > 1e-5).float().mean() < 1e-3  # a weight in the middle may fall to the other side


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_killed_training_goes_on_to_equal_weights(precision: str, tmp_path: Path) -> None:
    def kill(step: int, loss: float) -> None:
        if step == 14:
            raise KeyboardInterrupt

    settings = reversal.settings(24, precision=precision)
    whole, killed, resumed = (reversal.fresh_model().cuda() for _ in range(3))
    losses = train(whole, reversal.pairs(), settings)
    with pytest.raises(KeyboardInterrupt):
        train(killed, reversal.pairs(), settings, checkpoint=tmp_path / "kept.safetensors", on_step=kill)
    again = train(resumed, reversal.pairs(), settings, checkpoint=tmp_path / "kept.safetensors")

    assert losses[-1] < losses[0]
    assert again == losses
    for mine, theirs in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("dropout", [apply_dropout, fast_dropout])
@pytest.mark.parametrize("p", [0.1, 0.75])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout(dropout: Callable[[torch.Tensor, float], torch.Tensor], p: float, dtype: torch.dtype) -> None:
    x = torch.randn(400, 301, device="cuda").to(dtype)

    y = dropout(x, p)

    coarse = 2**-8 if dtype == torch.bfloat16 and dropout is apply_dropout else 0.0
    assert y.dtype == dtype
    assert abs((y != 0).float().mean().item() - (1 - p)) < 5 * (p * (1 - p) / x.numel()) ** 0.5 + coarse


def test_learning_from_preferences() -> None:
    policy, head = (module.cuda() for module in start())
    pairs = Preferences(*(getattr(PAIRS, field.name).cuda() for field in fields(PAIRS)))
    settings = {"max_new_tokens": 4, "learning_rate": 5e-3}

    records = ppo(policy, head, prompts().cuda(), count_of_fours, PPOConfig(2, batch_size=8, minibatches=2, **settings))
    records += grpo(policy, prompts().cuda(), count_of_fours, GRPOConfig(2, prompts=2, group_size=4, **settings))
    records += dpo(policy, pairs, DPOConfig(epochs=2, batch_size=12, learning_rate=5e-3))

    assert len(records) == 6
    assert all(math.isfinite(value) for record in records for value in record.values())


def test_a_lora_of_the_cpu_and_one_of_the_gpu_are_one_file(tmp_path: Path) -> None:
    model = get_peft_model(small_base(), LoraConfig(init_lora_weights=False))
    model.cuda().save_pretrained(tmp_path)

    here = PeftModel.from_pretrained(small_base(), tmp_path).eval()

    torch.testing.assert_close(model.eval()(*on_gpu(*batch())).cpu(), here(*batch()), **CLOSE)
