"""Prefix tuning: the attention with its prefix, three kinds of attention, the network and what is left of it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from peft import PeftModel, PrefixTuningConfig, drop_encoders, get_peft_model
from peft.prefix_tuning import PrefixAttend
from tests.peft.small import CONFIG, batch, small_base, take_steps
from tests.reference import prefix as reference
from transformer import DecoderOnly, EncoderOnly, TransformerConfig, generate
from transformer.attention import Attend, scaled_dot_product_attention
from transformer.watching import record_attention

SETTINGS = {"num_virtual_tokens": 7, "encoder_hidden_size": 10}


def prefixed(seed: int = 1, **changes: object) -> PeftModel:
    base = small_base()
    torch.manual_seed(seed)
    return get_peft_model(base, PrefixTuningConfig(**{**SETTINGS, **changes})).eval()


def one_stack(kind: type, seed: int = 2) -> DecoderOnly | EncoderOnly:
    torch.manual_seed(seed)
    without = "num_encoder_layers" if kind is DecoderOnly else "num_decoder_layers"
    return kind(
        TransformerConfig(**{**CONFIG.to_dict(), "num_encoder_layers": 3, "num_decoder_layers": 3, without: 0})
    ).eval()


def prefixes(model: PeftModel) -> dict[str, PrefixAttend]:
    return {p: w for p, w in model.adapters["default"].layers.items() if isinstance(w, PrefixAttend)}


def attention_inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Query, key, value and a mask in which one query sees no real key."""
    query, key, value = (torch.randn(2, 3, length, 4, dtype=torch.float64) for length in (5, 6, 6))
    mask = torch.rand(2, 1, 5, 6) > 0.4
    mask[1, 0, 2] = False
    return query, key, value, mask


def test_keys_and_values_stand_in_front_and_everybody_sees_them() -> None:
    query, key, value, mask = attention_inputs()
    layer = PrefixAttend(Attend(), torch.randn(7, 24, dtype=torch.float64))
    expected = reference.prefix_attention(
        *(x.numpy() for x in (query, key, value)), mask.expand(2, 3, 5, 6).numpy(), layer.prefix.detach().numpy()
    )
    np.testing.assert_allclose(layer(query, key, value, mask).detach().numpy(), expected, atol=1e-12)
    everything = torch.ones(2, 1, 1, 1, dtype=torch.bool)
    torch.testing.assert_close(layer(query, key, value, everything), layer(query, key, value, None))


def test_it_is_a_mixture_of_attention_to_the_prefix_and_attention_to_the_words() -> None:
    query, key, value, _ = attention_inputs()
    layer = PrefixAttend(Attend(), torch.randn(7, 24, dtype=torch.float64))
    prefix_key, prefix_value = (
        torch.from_numpy(part).expand(2, -1, -1, -1) for part in reference.split(layer.prefix.detach().numpy(), 3)
    )
    words, _ = scaled_dot_product_attention(query, key, value)
    prefix, _ = scaled_dot_product_attention(query, prefix_key, prefix_value)
    on_prefix, on_words = ((query @ k.mT / 2).exp().sum(dim=-1, keepdim=True) for k in (prefix_key, key))
    share = on_prefix / (on_prefix + on_words)
    torch.testing.assert_close(layer(query, key, value, None), share * prefix + (1 - share) * words)


def test_a_prefix_of_zeros_still_takes_its_share() -> None:
    query, key, value, _ = attention_inputs()
    layer = PrefixAttend(Attend(), torch.zeros(7, 24, dtype=torch.float64))
    assert (layer(query, key, value, None) - layer.base(query, key, value)).abs().max() > 0.05


def test_the_network_is_its_formula() -> None:
    base = small_base().double()
    for layer in prefixes(get_peft_model(base, PrefixTuningConfig(**SETTINGS))).values():
        trunk = layer.trunk
        parts = (trunk.embedding, trunk.hidden.weight, trunk.hidden.bias, layer.last.weight, layer.last.bias)
        expected = reference.network(*(part.detach().numpy() for part in parts))
        np.testing.assert_allclose(layer.rows().detach().numpy(), expected, atol=1e-12)


def test_each_kind_of_attention_has_an_embedding_of_its_own_which_its_layers_share() -> None:
    layers = prefixes(prefixed())
    first, second = (layers[f"decoder.layers.{n}.self_attention.attend"] for n in (0, 1))
    assert first.trunk is second.trunk
    assert len({id(layer.trunk) for layer in layers.values()}) == 3
    assert not torch.allclose(first.rows(), second.rows())


def test_every_number_is_trained_and_is_the_adapters_own_once() -> None:
    model = prefixed()
    own = model.adapters["default"].own_parameters().values()
    assert {id(parameter) for parameter in own} == {id(p) for p in model.parameters() if p.requires_grad}
    assert sum(parameter.numel() for parameter in own) == model.get_nb_trainable_parameters()[0]


def test_it_trains_as_many_numbers_as_the_formula_says() -> None:
    expected = reference.network_count(7, 24, 10, layers=1) + 2 * reference.network_count(7, 24, 10, layers=2)
    assert prefixed().get_nb_trainable_parameters()[0] == expected
    direct = reference.direct_count(7, 24, attentions=1 + 2 * 2)
    assert prefixed(prefix_projection=False, encoder_hidden_size=None).get_nb_trainable_parameters()[0] == direct
    default = reference.network_count(7, 24, 24, layers=1)
    assert prefixed(sites=("encoder_self",), encoder_hidden_size=None).get_nb_trainable_parameters()[0] == default


def test_the_embeddings_start_standard_normal_and_the_layers_as_linear_layers_do() -> None:
    layer = next(iter(prefixes(prefixed(num_virtual_tokens=40, encoder_hidden_size=300)).values()))
    assert layer.trunk.embedding.std().item() == pytest.approx(1.0, rel=0.06)
    assert layer.trunk.hidden.weight.std().item() == pytest.approx(1 / np.sqrt(3 * 24), rel=0.03)
    assert layer.last.weight.std().item() == pytest.approx(1 / np.sqrt(3 * 300), rel=0.03)


@pytest.mark.parametrize("direct", [False, True])
def test_every_place_is_live(direct: bool) -> None:
    model = prefixed()
    if direct:
        drop_encoders(model)
    complete = model(*batch())
    assert len(prefixes(model)) == 1 + 2 * 2
    for path, layer in prefixes(model).items():
        changed = layer.prefix if direct else layer.last.bias
        with torch.no_grad():
            changed.add_(1.0)
            difference = (model(*batch()) - complete).abs().max()
            changed.sub_(1.0)
        assert difference > 1e-5, f"{path} changes nothing"


@pytest.mark.parametrize(("site", "part"), [("encoder_self", "encoder"), ("decoder_self", "self"), ("cross", "cross")])
def test_it_can_be_restricted_to_one_kind_of_attention(site: str, part: str) -> None:
    assert all(part in path for path in prefixes(prefixed(sites=(site,))))


def test_without_its_network_it_computes_the_same_and_can_be_trained_on() -> None:
    model = prefixed()
    take_steps(model)
    expected = model(*batch())
    drop_encoders(model)
    torch.testing.assert_close(model(*batch()), expected, atol=1e-6, rtol=1e-6)
    assert model.get_nb_trainable_parameters()[0] == reference.direct_count(7, 24, attentions=5)
    take_steps(model)
    assert not torch.allclose(model(*batch()), expected, atol=1e-4)


def test_keys_and_values_that_were_kept_take_the_place_of_a_network() -> None:
    model, other = prefixed(seed=1), prefixed(seed=2)

    for path, layer in prefixes(other).items():
        layer.load(prefixes(model)[path].saved())

    torch.testing.assert_close(other(*batch()), model(*batch()), atol=1e-6, rtol=1e-6)
    assert other.get_nb_trainable_parameters()[0] == reference.direct_count(7, 24, attentions=5)


@pytest.mark.parametrize("settings", [{}, {"prefix_projection": False, "encoder_hidden_size": None}])
def test_what_is_saved_of_a_prefix_has_no_gradient(settings: dict[str, object]) -> None:
    assert not any(tensor.requires_grad for tensor in prefixed(**settings).adapters["default"].saved().values())


def test_reading_a_folders_matrices_leaves_them_as_they_are() -> None:
    adapter = prefixed().adapters["default"]
    matrices, _ = adapter.config.to_hf(adapter.saved())
    names = list(matrices)

    adapter.config.from_hf(matrices, adapter.saved())

    assert list(matrices) == names


def test_three_matrices_are_kept_and_no_network(tmp_path: Path) -> None:
    model = prefixed()
    model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in saved.items()} == {
        "encoder_self.prompt_embeddings": (7, 2 * 1 * 24),
        "decoder_self.prompt_embeddings": (7, 2 * 2 * 24),
        "cross.prompt_embeddings": (7, 2 * 2 * 24),
    }
    second = prefixes(model)["decoder.layers.1.cross_attention.attend"].rows()
    assert torch.equal(saved["cross.prompt_embeddings"][:, 48:], second)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["prefix_projection"] is False
    assert config["num_transformer_submodules"] == 2
    loaded = PeftModel.from_pretrained(small_base(), tmp_path, is_trainable=True)
    torch.testing.assert_close(loaded.eval()(*batch()), model(*batch()), atol=1e-6, rtol=1e-6)
    assert loaded.get_nb_trainable_parameters()[0] == reference.direct_count(7, 24, attentions=5)


def test_words_of_an_encoder_decoder_keep_their_positions_unless_it_is_asked_otherwise() -> None:
    source, target = batch()
    shifted = prefixed(shift_positions=True)
    assert torch.equal(shifted.source_positions(3), small_base().source_positions(3, 7))
    assert torch.equal(shifted.target_positions(2, 4), small_base().target_positions(2, 11))
    assert not torch.allclose(shifted(source, target), prefixed()(source, target), atol=1e-4)
    assert torch.equal(prefixed().source_positions(3), small_base().source_positions(3))
    with pytest.raises(ValueError, match="42 tokens behind a prefix of 7 need 49 positions; there are 48"):
        shifted.encode(torch.full((1, 42), 5))


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_each_row_may_stand_behind_the_prefix_at_an_offset_of_its_own(positions: str) -> None:
    base = small_base(positions=positions)
    shifted = get_peft_model(base, PrefixTuningConfig(**SETTINGS, shift_positions=True)).eval()
    source, target = (torch.cat([ids, ids[:1]]) for ids in batch())
    offset = torch.tensor([[0], [1], [36]])  # 7 before, 5 behind: 48

    said = shifted(source, target, offset=offset)

    for row, own in enumerate(offset.flatten().tolist()):
        alone = shifted(source[row : row + 1], target[row : row + 1], own)
        torch.testing.assert_close(said[row : row + 1], alone, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="42 tokens behind a prefix of 7 need 49 positions; there are 48"):
        shifted(source, target, offset=offset + 1)


def test_the_share_of_the_prefix_can_be_looked_at() -> None:
    model = prefixed()
    with record_attention(model) as maps:
        model(*batch())
    cross = maps["decoder.layers.0.cross_attention"]
    assert cross[0].shape == (2, 3, 6, 7 + 5)
    torch.testing.assert_close(cross[0].sum(dim=-1), torch.ones(2, 3, 6))


@pytest.mark.parametrize("kind", [DecoderOnly, EncoderOnly])
def test_a_model_of_one_stack_has_the_form_of_hf(kind: type, tmp_path: Path) -> None:
    source = torch.tensor([[5, 8, 11, 29, 2], [7, 12, 2, 9, 4]])
    torch.manual_seed(1)
    model = get_peft_model(one_stack(kind), PrefixTuningConfig(**SETTINGS)).eval()
    model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert {name: tuple(tensor.shape) for name, tensor in saved.items()} == {"prompt_embeddings": (7, 2 * 3 * 24)}
    assert (config["num_layers"], config["num_transformer_submodules"]) == (3, 1)
    slots = saved["prompt_embeddings"].view(7, 2 * 3, 3, 8).permute(1, 2, 0, 3)  # as HF reads it
    query, key, value = torch.randn(3, 1, 3, 5, 8)
    layer = next(layer for path, layer in prefixes(model).items() if "layers.1." in path)
    expected, _ = scaled_dot_product_attention(
        query, torch.cat([slots[None, 2], key], dim=2), torch.cat([slots[None, 3], value], dim=2)
    )
    torch.testing.assert_close(layer(query, key, value, None), expected)
    loaded = PeftModel.from_pretrained(one_stack(kind), tmp_path)
    torch.testing.assert_close(loaded(source), model(source), atol=1e-5, rtol=1e-5)
    assert torch.equal(model.source_positions(3), one_stack(kind).source_positions(3, 7))


def test_a_decoder_only_model_decodes_with_its_cache_as_without() -> None:
    source = torch.tensor([[0, 0, 6, 8], [7, 12, 5, 11]])
    model = get_peft_model(one_stack(DecoderOnly), PrefixTuningConfig(**SETTINGS)).eval()
    for beams in (1, 3):
        cached = generate(model, source, 6, num_beams=beams)
        assert torch.equal(cached, generate(model, source, 6, num_beams=beams, use_cache=False))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"prompt_embeddings": (7, 96)}, "cannot be read as three prefixes"),
        ({"encoder_self.prompt_embeddings": (7, 48)}, "missing decoder_self.prompt_embeddings"),
        ({"encoder_self.prompt_embeddings": (7, 96)}, r"\(7, 96\), this base needs \(7, 48\)"),
        ({"encoder_self.prompt_embeddings": (6, 48)}, r"\(6, 48\), this base needs \(7, 48\)"),
    ],
)
def test_a_folder_of_another_form_is_refused(tmp_path: Path, tensors: dict[str, tuple], message: str) -> None:
    prefixed().save_pretrained(tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    kept = {} if "missing" in message or "read" in message else load_file(file)
    save_file(kept | {name: torch.zeros(shape) for name, shape in tensors.items()}, file)
    base = small_base()
    with pytest.raises(ValueError, match=message):
        PeftModel.from_pretrained(base, tmp_path)
    assert type(base.encoder.layers[0].self_attention.attend) is Attend


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_virtual_tokens": 0}, "num_virtual_tokens 0"),
        ({"encoder_hidden_size": 0}, "encoder_hidden_size 0"),
        ({"sites": ("feed_forward",)}, "within the sites feed_forward"),
        ({"shift_positions": True, "num_virtual_tokens": 48}, "48 virtual tokens .* max_length 48"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        get_peft_model(small_base(), PrefixTuningConfig(**settings))
