"""P-Tuning v2: prefix tuning without its network, with a head if wanted."""

import json
from pathlib import Path

import pytest
import torch

from peft import PeftModel, PrefixTuningConfig, PTuningV2Config, drop_encoders, get_peft_model
from peft.p_tuning_v2 import keys_and_values
from tests.peft.small import CONFIG, batch, small_base, take_steps
from tests.reference import prefix as reference
from transformer import DecoderOnly, TransformerConfig


def tuned(seed: int = 1, base: torch.nn.Module | None = None, **changes: object) -> PeftModel:
    base = small_base() if base is None else base
    torch.manual_seed(seed)
    return get_peft_model(base, PTuningV2Config(**{"num_virtual_tokens": 7, **changes})).eval()


def test_it_is_prefix_tuning_once_the_network_is_dropped() -> None:
    torch.manual_seed(1)
    prefix = get_peft_model(small_base(), PrefixTuningConfig(num_virtual_tokens=7)).eval()
    expected = prefix(*batch())
    drop_encoders(prefix)
    model = tuned()
    for path, layer in model.adapters["default"].layers.items():
        layer.load(prefix.adapters["default"].layers[path].saved())
    torch.testing.assert_close(model(*batch()), expected, atol=1e-6, rtol=1e-6)


def test_it_trains_two_p_d_numbers_for_each_attention() -> None:
    assert tuned().get_nb_trainable_parameters()[0] == reference.direct_count(7, 24, attentions=1 + 2 * 2)


def test_every_layer_starts_with_its_own_standard_normal_prefix() -> None:
    layers = list(tuned(num_virtual_tokens=40).adapters["default"].layers.values())
    everything = torch.stack([layer.prefix for layer in layers])
    assert everything.mean().item() == pytest.approx(0.0, abs=0.05)
    assert everything.std().item() == pytest.approx(1.0, rel=0.03)
    assert not torch.equal(layers[1].prefix, layers[2].prefix)


def test_a_head_can_be_trained_with_it(tmp_path: Path) -> None:
    base = small_base(tie_embeddings=False)
    head = base.output.weight.detach().clone()
    model = tuned(base=base, modules_to_save=("output",))
    prefixes = reference.direct_count(7, 24, attentions=5)
    assert model.get_nb_trainable_parameters()[0] == prefixes + 31 * 24 + 31
    take_steps(model)
    assert not torch.equal(model.output.weight, head)
    model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(small_base(tie_embeddings=False), tmp_path)
    torch.testing.assert_close(loaded(*batch()), model(*batch()), atol=1e-6, rtol=1e-6)
    assert torch.equal(model.unload().output.weight, head)


def test_it_is_kept_as_hf_keeps_it(tmp_path: Path) -> None:
    model = tuned(sites=("decoder_self", "cross"))
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["peft_type"], config["prefix_projection"]) == ("PREFIX_TUNING", False)
    loaded = PeftModel.from_pretrained(small_base(), tmp_path)
    assert torch.equal(loaded(*batch()), model(*batch()))


@pytest.mark.parametrize(
    "changes", [{"positions": "rotary", "num_kv_heads": 2, "head_size": 8, "bias": False}, {"positions": "learned"}]
)
def test_words_as_a_start_are_as_if_they_stood_in_front(changes: dict[str, object]) -> None:
    """On a model of one stack, with keys that are turned and with keys that are not."""
    config = {**CONFIG.to_dict(), "num_heads": 6, "num_encoder_layers": 0, "max_length": 20, **changes}
    torch.manual_seed(2)
    base = DecoderOnly(TransformerConfig(**config)).train()
    read: list[torch.Tensor] = []
    hook = base.register_forward_pre_hook(lambda module, inputs: read.append(inputs[0]))
    model = get_peft_model(base, PTuningV2Config(num_virtual_tokens=7, init_weights="words"))
    hook.remove()
    assert base.training, "placing it left the base in another mode"
    model.eval()
    words, text = read[0], torch.tensor([[5, 8, 11, 29, 2, 9], [7, 12, 2, 3, 30, 4]])
    assert words.shape == (1, 7)
    assert len(set(words[0].tolist())) > 3
    with model.disable_adapter():
        expected = model(torch.cat([words.expand(2, -1), text], dim=1))[:, 7:]
    torch.testing.assert_close(model(text), expected, atol=1e-5, rtol=1e-5)


def test_words_as_a_start_reach_every_attention_of_an_encoder_decoder() -> None:
    base, read = small_base(), []
    hook = base.register_forward_pre_hook(lambda module, inputs: read.append(inputs))
    layers = tuned(base=base, init_weights="words").adapters["default"].layers
    hook.remove()
    source, target = read[0]
    assert source.shape == (1, 7)
    assert torch.equal(source, target)
    base = small_base()
    found = keys_and_values(base, [base.get_submodule(path) for path in layers], source[0])
    assert len(layers) == 5
    for layer, expected in zip(layers.values(), found, strict=True):
        torch.testing.assert_close(layer.prefix.detach(), expected)
    memory, cross = base.encode(source)[0], base.decoder.layers[1].cross_attention
    keys = layers["decoder.layers.1.cross_attention.attend"].prefix[:, :24]
    torch.testing.assert_close(keys, cross.k_proj(memory)[0], atol=1e-5, rtol=1e-5)


def test_keys_and_values_are_read_of_attentions_that_come_one_by_one() -> None:
    base, words = small_base(), torch.tensor([5, 9, 4])
    attends = [layer.self_attention.attend for layer in base.decoder.layers]

    found = keys_and_values(base, iter(attends), words)

    for one, again in zip(found, keys_and_values(base, attends, words), strict=True):
        assert torch.equal(one, again)


def test_the_words_of_a_start_are_drawn_to_where_the_base_is() -> None:
    assert PTuningV2Config(num_virtual_tokens=3).random_words(small_base().to("meta")).is_meta


def test_no_word_of_a_start_is_padding() -> None:
    torch.manual_seed(0)
    drawn = PTuningV2Config(num_virtual_tokens=40).random_words(small_base(vocab_size=4, pad_id=1, bos_id=2, eos_id=3))
    assert set(drawn.tolist()) == {0, 2, 3}


def test_zero_as_a_start_is_hfs() -> None:
    assert all(not layer.prefix.any() for layer in tuned(init_weights="zero").adapters["default"].layers.values())
    with pytest.raises(ValueError, match="init_weights"):
        PTuningV2Config(init_weights="ones")


@pytest.mark.parametrize("settings", [{"prefix_projection": True}, {"encoder_hidden_size": 8}])
def test_a_network_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no network"):
        PTuningV2Config(**settings)


def test_reading_words_leaves_nothing_on_the_base() -> None:
    base = small_base()
    model = get_peft_model(base, PTuningV2Config(num_virtual_tokens=3, init_weights="words"))
    assert not any(module._forward_pre_hooks for module in model.unload().modules())
