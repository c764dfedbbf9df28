"""What every technique must keep, one test for each promise, over every recipe there is."""

import copy
import os
import pickle
import warnings

import pytest
import torch

from peft import RECIPES, PeftModel
from tests.peft.small import CONFIG, UNSEEN, batch, config_of, prepared, small_base, step_by_step, take_steps, technique
from transformer import generate

METHODS = list(RECIPES)
# Softmax does not see what is the same for every key, so a key's bias has no gradient (reference: 2106.10199's b_K).
NO_GRADIENT = ("k_proj.bias", "k_proj.ssf_shift", "k_proj.base.bias")


@pytest.fixture(scope="module", params=METHODS)
def tuned(request: pytest.FixtureRequest) -> tuple[str, PeftModel]:
    """A technique after three steps. Tests must leave it as they found it."""
    model = technique(request.param)
    take_steps(model)
    return request.param, model


def base_of(method: str) -> torch.nn.Module:
    """The base as the recipe prepares it: quantized for QLoRA, as it is for most."""
    return prepared(method)


def test_disabled_is_the_base_to_the_last_bit(tuned: tuple[str, PeftModel]) -> None:
    method, model = tuned
    expected = base_of(method).eval()(*batch())
    changed = model(*batch())
    with model.disable_adapter():
        disabled = model(*batch())
    assert torch.equal(disabled, expected)
    assert (changed - expected).abs().max() > 1e-4, "three steps changed nothing"
    assert torch.equal(model(*batch()), changed)


def test_the_adapter_is_back_after_an_error_in_the_reference_pass(tuned: tuple[str, PeftModel]) -> None:
    _, model = tuned
    expected = model(*batch())
    with pytest.raises(RuntimeError), model.disable_adapter():
        raise RuntimeError
    assert torch.equal(model(*batch()), expected)


@pytest.mark.parametrize("method", METHODS)
def test_training_changes_its_own_parameters_and_no_others(method: str) -> None:
    model = technique(method)
    own = model.adapters["default"].own_parameters()
    before = {name: parameter.detach().clone() for name, parameter in own.items()}
    trainable = {id(p) for p in model.parameters() if p.requires_grad}
    assert trainable == {id(p) for p in own.values()}
    take_steps(model, count=4)
    still = [n for n, p in own.items() if torch.equal(before[n], p) and not n.endswith(NO_GRADIENT)]
    assert not still, f"never moved: {still}"
    expected = base_of(method).state_dict()
    base = model.unload().state_dict()
    assert base.keys() == expected.keys()
    assert all(torch.equal(base[name], expected[name]) for name in expected)


def test_saved_is_loaded_on_another_start(tuned: tuple[str, PeftModel], tmp_path: os.PathLike) -> None:
    method, model = tuned
    model.save_pretrained(tmp_path)
    torch.manual_seed(99)
    loaded = PeftModel.from_pretrained(base_of(method), tmp_path)
    torch.testing.assert_close(loaded(*batch()), model(*batch()), atol=1e-5, rtol=1e-5)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_a_saved_adapter_holds_its_numbers_and_little_besides(
    tuned: tuple[str, PeftModel], tmp_path: os.PathLike
) -> None:
    _method, model = tuned
    model.save_pretrained(tmp_path)
    numbers = sum(
        tensor.numel()
        for tensor in model.adapters["default"].config.to_hf(model.adapters["default"].saved())[0].values()
    )
    names = sum(len(name) + 100 for name in model.adapters["default"].saved())
    size = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert size <= 4 * numbers + 4096 + names


def test_merged_computes_what_the_adapter_does_or_says_why_not(tuned: tuple[str, PeftModel]) -> None:
    _method, model = tuned
    expected = model(*batch())
    copied = copy.deepcopy(model)
    if not all(layer.merges for layer in model.adapters["default"].layers.values()):
        with pytest.raises(ValueError, match="merge"):
            copied.merge_and_unload()
        assert torch.equal(copied(*batch()), expected), "a refused merge must change nothing"
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a quantized base merges with its rounding is tested where it belongs
        merged = copied.merge_and_unload()
    assert not [name for name, _ in merged.named_modules() if "adapters" in name or "lora" in name]
    torch.testing.assert_close(merged(*batch()), expected, atol=2e-5, rtol=2e-5)


def test_step_by_step_with_a_cache_it_gives_the_logits_of_all_at_once(tuned: tuple[str, PeftModel]) -> None:
    _, model = tuned
    source, target = batch()
    torch.testing.assert_close(step_by_step(model, source, target), model(source, target), atol=1e-5, rtol=1e-5)


def test_beams_with_a_cache_say_the_same(tuned: tuple[str, PeftModel]) -> None:
    _, model = tuned
    source, _ = batch()
    cached = generate(model, source, 5, num_beams=3)
    assert torch.equal(cached, generate(model, source, 5, num_beams=3, use_cache=False))
    assert torch.equal(cached, model.generate(source, 5, num_beams=3))


def test_padding_and_neighbours_change_nothing(tuned: tuple[str, PeftModel]) -> None:
    _, model = tuned
    source, target = batch()
    together = model(source, target)
    alone = model(source[1:, :3], target[1:])
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=1e-5)


def test_the_future_does_not_leak(tuned: tuple[str, PeftModel]) -> None:
    _, model = tuned
    source, target = batch()
    changed = target.clone()
    changed[:, 4] = 17
    torch.testing.assert_close(model(source, changed)[:, :4], model(source, target)[:, :4], atol=1e-6, rtol=1e-6)


def test_copies_and_pickles_compute_the_same(tuned: tuple[str, PeftModel]) -> None:
    _, model = tuned
    again = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    assert torch.equal(again(*batch()), model(*batch()))
    again.set_adapter("default")
    with again.disable_adapter():
        pass
    assert torch.equal(again(*batch()), model(*batch()))


def test_two_adapters_switch_and_mix_within_a_batch(tuned: tuple[str, PeftModel]) -> None:
    method, model = tuned
    model = copy.deepcopy(model)
    first = model(*batch())
    torch.manual_seed(5)
    model.add_adapter("second", config_of(method))
    model.set_adapter("second")
    take_steps(model, learning_rate=0.03)
    second = model(*batch())
    assert not torch.allclose(first, second, atol=1e-4)
    with model.disable_adapter():
        base = model(*batch())
    source, target = (torch.cat([x, x]) for x in batch())
    mixed = model(source, target, adapter_names=["second", "default", "__base__", "second"])
    expected = torch.stack([second[0], first[1], base[0], second[1]])
    torch.testing.assert_close(mixed, expected, atol=1e-5, rtol=1e-5)
    model.set_adapter("default")
    assert torch.equal(model(*batch()), first)
    told = model.generate(source, 3, adapter_names=["default", "second", "second", "__base__"], num_beams=2)
    assert told.shape[0] == 4


def test_explain_accounts_for_every_trainable_number(
    tuned: tuple[str, PeftModel], capsys: pytest.CaptureFixture
) -> None:
    _, model = tuned
    rows = model.explain()
    trainable, total = model.get_nb_trainable_parameters()
    shared = [row for row in rows if row["active"]]
    assert sum(row["parameters"] for row in shared) == trainable <= total
    assert all({"site", "technique", "shape", "parameters", "active", "merged"} <= set(row) for row in rows)
    assert f"{trainable:,}" in capsys.readouterr().out


@pytest.mark.parametrize("method", METHODS)
def test_it_works_in_float64_and_under_bf16_autocast(method: str) -> None:
    if method in ("qlora", "lora_fp4", "lora_int4"):
        model = technique(method)
    else:
        model = technique(method, small_base().double())
        assert model(*batch()).dtype == torch.float64
        model = technique(method)
    model.train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(*batch()).float().square().mean()
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.requires_grad and p.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_gradient_checkpointing_gives_the_same_gradients(tuned: tuple[str, PeftModel]) -> None:
    _, model = tuned
    model = copy.deepcopy(model).train()
    gradients = []
    for enabled in (False, True):
        model.base_model.gradient_checkpointing(enabled)
        model.zero_grad()
        torch.manual_seed(7)
        model(*batch()).square().mean().backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 0
    for plain, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, checkpointed, atol=1e-6, rtol=1e-5)


def test_trained_rows_reach_the_symbols_that_the_base_never_saw(tuned: tuple[str, PeftModel]) -> None:
    _, model = tuned
    source, target = batch()
    logits = model(source, target)
    with model.disable_adapter():
        base = model(source, target)
    assert (logits[..., UNSEEN[0]] - base[..., UNSEEN[0]]).abs().max() > 1e-4
    assert CONFIG.vocab_size == logits.shape[-1]
