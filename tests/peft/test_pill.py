"""PILL: experts by type, gated values, and the two stages."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from peft import LoraConfig, PeftModel, PillConfig, get_peft_model, set_stage
from tests.peft.small import CONFIG, batch, small_base, take_steps
from tests.reference import pill as reference
from transformer import DecoderOnly, EncoderOnly

KNOWN, NEW, OTHER = 0, 1, 2
TYPES = [(KNOWN, NEW, KNOWN, OTHER)[token % 4] for token in range(CONFIG.vocab_size)]
KNOWN_SOURCE = torch.tensor([[4, 8, 12, 2], [6, 2, 0, 0]])


def adapted(**settings: object) -> PeftModel:
    base = small_base(num_encoder_layers=2).double()
    torch.manual_seed(1)
    return get_peft_model(base, PillConfig(**{"r": 5, "token_types": TYPES, **settings})).eval()


def scattered(**settings: object) -> PeftModel:
    """Far from the start, so that every term of the formulas shows."""
    model = adapted(**settings)
    with torch.no_grad():
        for layer in model.adapters["default"].layers.values():
            for parameter in layer.every_parameter().values():
                parameter.normal_(std=0.5)
    return model


def numbers(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: parameter.detach().numpy() for name, parameter in module.named_parameters()}


def types_of(ids: Tensor) -> np.ndarray:
    return np.array(TYPES)[ids.numpy()]


def projected(x: np.ndarray, linear: nn.Linear) -> np.ndarray:
    return x @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_the_feed_forward_reads_what_the_expert_of_each_tokens_type_adds(side: str) -> None:
    model, (source, target) = scattered(), batch()
    model(source, target)
    ids = source if side == "encoder" else target
    layer = model.adapters["default"].layers[f"{side}.layers.1.feed_forward"]
    x = torch.randn(*ids.shape, 24, dtype=torch.float64)
    read = reference.routed(x.numpy(), types_of(ids), [numbers(expert) for expert in layer.experts])
    torch.testing.assert_close(layer(x), layer.base(torch.from_numpy(read)))


def test_the_encoders_self_attention_is_its_formula() -> None:
    model, (source, target) = scattered(), batch()
    model(source, target)
    path = "encoder.layers.0.self_attention"
    layers, plain = model.adapters["default"].layers, small_base(num_encoder_layers=2).double().get_submodule(path)
    x = torch.randn(*source.shape, 24, dtype=torch.float64)
    real = source != 0

    read = reference.adapted(x.numpy(), numbers(layers[path].adapter))
    gate = layers[f"{path}.v_proj"].value_gate.weight.detach().numpy()
    values = reference.gated(projected(read, plain.v_proj), read, types_of(source), gate)
    heads = reference.attention(projected(read, plain.q_proj), projected(read, plain.k_proj), values, real.numpy(), 3)
    found = model.base_model.get_submodule(path)(x, x, x, real[:, None, None, :])
    np.testing.assert_allclose(found.detach(), projected(heads, plain.out_proj), atol=1e-11)


@pytest.mark.parametrize("beams", [1, 3])
def test_the_cross_attention_gates_the_values_of_the_memory_by_the_sources_types(beams: int) -> None:
    model, (source, target) = scattered(), batch()
    model(source, target)
    layer = model.adapters["default"].layers["decoder.layers.1.cross_attention.v_proj"]
    memory = torch.randn(beams * len(source), source.shape[1], 24, dtype=torch.float64)
    types = types_of(source).repeat(beams, axis=0)
    values = projected(memory.numpy(), layer.base)
    expected = reference.gated(values, memory.numpy(), types, layer.value_gate.weight.detach().numpy())
    np.testing.assert_allclose(layer(memory).detach(), expected, atol=1e-12)


@pytest.mark.parametrize(("types", "count"), [(TYPES, 3), ([token % 2 for token in range(31)], 2)])
def test_it_trains_as_many_numbers_as_the_formula_says(types: list[int], count: int) -> None:
    trainable, _ = adapted(token_types=types).get_nb_trainable_parameters()
    assert trainable == reference.parameter_count(24, 3, 5, count, encoder_layers=2, decoder_layers=2)


def test_it_starts_as_the_base_where_every_token_is_known_and_not_where_one_is_new() -> None:
    model = adapted()
    known_target = torch.tensor([[4, 20, 22], [4, 24, 28]])
    with model.disable_adapter():
        base, base_with_new = model(KNOWN_SOURCE, known_target), model(*batch())
    assert torch.equal(model(KNOWN_SOURCE, known_target), base)
    assert (model(*batch()) - base_with_new).abs().max() > 1e-3


def test_a_new_token_counts_for_nothing_at_the_start_yet_it_draws_attention() -> None:
    model = adapted()
    source = torch.tensor([[4, 8, 5, 2]])
    model.encode(source)
    gated = model.adapters["default"].layers["encoder.layers.0.self_attention.v_proj"]
    values = gated(torch.randn(1, 4, 24, dtype=torch.float64))
    assert not values[0, 2].any()
    assert values[0, [0, 1, 3]].all()
    x = torch.randn(1, 4, 24, dtype=torch.float64)
    attention = model.base_model.get_submodule("encoder.layers.0.self_attention")
    with_new = attention(x, x, x)[0, 0]
    without = attention(x, x, x, torch.tensor([[[[True, True, False, True]]]]))[0, 0]
    assert (with_new - without).abs().max() > 1e-3


def test_the_start_has_the_papers_distributions() -> None:
    layers = adapted(r=24).adapters["default"].layers
    experts = [expert for path, layer in layers.items() if path.endswith("feed_forward") for expert in layer.experts]
    assert torch.cat([expert.down.weight for expert in experts]).std().item() == pytest.approx(0.02, rel=0.05)
    gates = torch.cat([expert.gate.weight for expert in experts])
    assert gates.std().item() == pytest.approx(1 / np.sqrt(3 * 24), rel=0.05)
    assert gates.abs().max() <= 1 / np.sqrt(24)
    assert not any(expert.up.weight.any() for expert in experts)
    assert not layers["decoder.layers.0.cross_attention.v_proj"].value_gate.weight.any()


def test_the_first_step_moves_the_gates_and_u_and_the_second_everything() -> None:
    model = adapted()
    own = model.adapters["default"].own_parameters()
    for step in (1, 2):
        model.zero_grad()
        model(*batch()).square().mean().backward()
        for name, parameter in own.items():
            at_once = ".up." in name or "v_proj" in name
            assert bool(parameter.grad.any()) is (at_once or step == 2), f"step {step}, {name}"
            with torch.no_grad():
                parameter -= 0.1 * parameter.grad


def test_every_place_is_live() -> None:
    model = scattered()
    complete = model(*batch())
    layers = model.adapters["default"].layers
    assert len(layers) == 2 * 3 + 2 * 3
    for path, layer in layers.items():
        for name, parameter in layer.every_parameter().items():
            kept = parameter.detach().clone()
            with torch.no_grad():
                parameter.zero_()
            assert (model(*batch()) - complete).abs().max() > 1e-6, f"{path}.{name} changes nothing"
            with torch.no_grad():
                parameter.copy_(kept)


def test_stage_1_trains_the_experts_of_new_types_and_nothing_else() -> None:
    model = adapted(stage=1)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained
    assert all("experts.1." in name or "experts.2." in name for name in trained)
    assert len(trained) == 4 * 2 * 3
    before = {name: tensor.clone() for name, tensor in model.adapters["default"].saved().items()}
    take_steps(model)
    moved = {
        name for name, tensor in model.adapters["default"].saved().items() if not torch.equal(before[name], tensor)
    }
    assert all("experts.1." in name or "experts.2." in name for name in moved)


def test_in_stage_1_values_pass_the_gate_untouched() -> None:
    model = scattered(stage=1)
    model(*batch())
    layer = model.adapters["default"].layers["encoder.layers.0.self_attention.v_proj"]
    x = torch.randn(2, 5, 24, dtype=torch.float64)
    assert torch.equal(layer(x), layer.base(x))


def test_in_stage_1_known_and_new_change_places_in_the_last_layer_of_each_stack() -> None:
    model, (source, target) = scattered(stage=1), batch()
    model(source, target)
    for side, ids in (("encoder", source), ("decoder", target)):
        x = torch.randn(*ids.shape, 24, dtype=torch.float64)
        for index, types in ((0, types_of(ids)), (1, np.where(types_of(ids) == KNOWN, NEW, KNOWN))):
            layer = model.adapters["default"].layers[f"{side}.layers.{index}.feed_forward"]
            read = reference.routed(x.numpy(), types, [numbers(expert) for expert in layer.experts])
            torch.testing.assert_close(layer(x), layer.base(torch.from_numpy(read)))


def test_set_stage_goes_on_with_the_same_numbers(tmp_path: os.PathLike) -> None:
    model = adapted(stage=1)
    take_steps(model)
    kept = {name: tensor.clone() for name, tensor in model.adapters["default"].saved().items()}
    set_stage(model, 2)
    assert all(torch.equal(kept[name], tensor) for name, tensor in model.adapters["default"].saved().items())
    assert all(parameter.requires_grad for parameter in model.adapters["default"].own_parameters().values())
    assert len(model.adapters["default"].own_parameters()) == len(kept)
    expected = model(*batch())
    model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(small_base(num_encoder_layers=2).double(), tmp_path)
    assert loaded.peft_config["default"].stage == 2
    torch.testing.assert_close(loaded(*batch()), expected)


def test_back_in_stage_1_only_the_new_types_experts_are_trained() -> None:
    model = adapted(stage=2)
    set_stage(model, 1)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert all("experts.1." in name or "experts.2." in name for name in trained)
    assert len(trained) == 4 * 2 * 3


def test_every_way_into_the_model_says_which_tokens_are_read() -> None:
    source, target = batch()
    expected = scattered()(source, target)

    model = scattered()
    torch.testing.assert_close(model.output(model.states(source, target)), expected)
    model = scattered()
    memory, mask = model.encode(source)
    torch.testing.assert_close(model.decode(target, memory, mask), expected)


def test_its_types_and_the_trained_tokens_are_settings_and_no_weights() -> None:
    model = adapted(trainable_token_indices=(3, 5))
    assert all(tensor.is_floating_point() for tensor in model.state_dict().values())


def test_a_base_without_a_place_for_it_is_refused() -> None:
    base = EncoderOnly(replace(CONFIG, num_decoder_layers=0))
    with pytest.raises(ValueError, match="PILL has no place within the sites cross of this base"):
        get_peft_model(base, PillConfig(token_types=TYPES, sites=("cross",)))


def test_a_stage_1_adapter_is_loaded_as_one(tmp_path: os.PathLike) -> None:
    model = scattered(stage=1)
    model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(small_base(num_encoder_layers=2).double(), tmp_path)
    torch.testing.assert_close(loaded(*batch()), model(*batch()))


def test_the_base_cannot_run_without_the_ids_that_the_peft_model_knows() -> None:
    model = adapted()
    with pytest.raises(ValueError, match="run the PeftModel"):
        model.base_model(*batch())


def test_it_can_be_restricted_to_one_kind_of_place() -> None:
    paths = {site: set(adapted(sites=(site,)).adapters["default"].layers) for site in PillConfig.sites}
    assert paths["cross"] == {f"decoder.layers.{layer}.cross_attention.v_proj" for layer in (0, 1)}
    assert paths["decoder_self"] == {f"decoder.layers.{layer}.self_attention" for layer in (0, 1)}
    assert len(paths["encoder_self"]) == len(paths["feed_forward"]) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stage": 3}, "stage is 1 or 2, not 3"),
        ({"token_types": [0, -1]}, "-1 is none"),
        ({"token_types": [0, 1, 1]}, "3 token types came for a vocabulary of 31"),
        ({"r": 25}, "rank 25 .* smaller side 24"),
        ({"r": 0}, "rank 0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        adapted(**settings)


def test_without_types_it_warns_that_every_token_is_known() -> None:
    with pytest.warns(UserWarning, match="token_types is empty"):
        model = adapted(token_types=())
    with model.disable_adapter():
        base = model(*batch())
    assert torch.equal(model(*batch()), base)


def test_stages_belong_to_pill_and_pill_to_a_base_with_an_encoder() -> None:
    with pytest.raises(ValueError, match="only PILL has stages"):
        set_stage(get_peft_model(small_base(), LoraConfig()), 1)
    with pytest.raises(ValueError, match="needs a base with an encoder"):
        get_peft_model(DecoderOnly(replace(CONFIG, num_encoder_layers=0)), PillConfig(token_types=TYPES))
