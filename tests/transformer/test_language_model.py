"""A decoder with what today's language models have: against NumPy, cached, padded, fused, watched, checkpointed."""

import math
from inspect import unwrap

import numpy as np
import pytest
import torch

from tests.reference import encoder_decoder as reference
from tests.reference.language_model import gated_feed_forward, grouped_attention, rms_norm, rotary
from tests.reference.positions import sinusoidal_positions
from tests.transformer.small import arrays, config, random, shaken
from transformer import (
    DecoderOnly,
    EncoderOnly,
    GatedFeedForward,
    MultiHeadAttention,
    RMSNorm,
    Transformer,
    generate,
    load_model,
    record_attention,
    save_model,
)
from transformer.attention import for_every_query

LLAMA = {
    "num_encoder_layers": 0,
    "num_heads": 6,
    "num_kv_heads": 2,
    "head_size": 4,
    "norm": "pre",
    "norm_kind": "rms",
    "positions": "rotary",
    "rope_base": 50.0,
    "bias": False,
    "gated": True,
    "activation": "silu",
    "scale_embeddings": False,
    "layer_norm_eps": 0.01,
}
QWEN_2, QWEN_3 = LLAMA | {"qkv_bias": True}, LLAMA | {"norm_heads": True}
FAMILIES = pytest.mark.parametrize("family", [LLAMA, QWEN_2, QWEN_3], ids=["llama", "qwen2", "qwen3"])
TEXT = torch.tensor([[5, 8, 11, 6, 4, 9, 3]])


def language_model(**changes):
    torch.manual_seed(4)
    return shaken(DecoderOnly(config(**changes)))


def by_hand(model, ids):
    """The logits of one text, with the reference's formulas alone."""
    shape, p = model.config, arrays(model)
    places = np.arange(len(ids))
    causal = np.tril(np.ones((len(ids), len(ids)), dtype=bool))

    def norm(x, name):
        return rms_norm(x, p[f"{name}.weight"], shape.layer_norm_eps)

    x = p["source_embedding.weight"][ids]
    for index in range(shape.num_decoder_layers):
        layer = f"decoder.layers.{index}"
        read = norm(x, f"{layer}.self_attention_norm.norm")
        heads = {}
        for letter in "qkv":
            name = f"{layer}.self_attention.{letter}"
            made = read @ p[f"{name}_proj.weight"].T + p.get(f"{name}_proj.bias", 0.0)
            heads[letter] = np.split(made, made.shape[1] // shape.d_head, axis=1)
            if letter != "v":
                if shape.norm_heads:
                    heads[letter] = [norm(head, f"{name}_norm") for head in heads[letter]]
                heads[letter] = [rotary(head, places, shape.rope_base) for head in heads[letter]]
        attended = grouped_attention(*(np.stack(heads[letter]) for letter in "qkv"), causal)
        x = x + np.concatenate(list(attended), axis=1) @ p[f"{layer}.self_attention.out_proj.weight"].T
        matrices = (p[f"{layer}.feed_forward.{name}.weight"] for name in ("fc1", "fc3", "fc2"))
        x = x + gated_feed_forward(norm(x, f"{layer}.feed_forward_norm.norm"), *matrices)
    return norm(x, "decoder.norm") @ p["output.weight"].T


@FAMILIES
def test_the_logits_are_those_of_the_formulas(family):
    model = language_model(**family)

    logits = model(TEXT)[0].detach().numpy()

    np.testing.assert_allclose(logits, by_hand(model, TEXT[0].numpy()), atol=1e-10)


@pytest.mark.parametrize("order", ["post", "pre"])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_positions_that_are_added_give_the_logits_of_the_formulas(positions, order):
    """Learned and in pre-norm it is GPT-2. The layers are those of the encoder, with a mask."""
    model = language_model(num_encoder_layers=0, positions=positions, norm=order)
    ids, p = TEXT[0].numpy(), arrays(model)
    where = p["source_positions.weight"][:7] if positions == "learned" else sinusoidal_positions(7, 12)

    x = math.sqrt(12) * p["source_embedding.weight"][ids] + where
    for layer in reference.layers(p, "decoder.layers"):
        x = reference.encoder_layer(x, layer, model.config.num_heads, order, np.tril(np.ones((7, 7), dtype=bool)))
    x = reference.norm(x, p, "decoder.norm") if order == "pre" else x

    np.testing.assert_allclose(model(TEXT)[0].detach().numpy(), x @ p["output.weight"].T, atol=1e-10)


@FAMILIES
def test_padding_in_front_changes_nothing(family):
    model = language_model(**family)
    padded = torch.cat([torch.zeros(1, 3, dtype=torch.long), TEXT], dim=1)

    torch.testing.assert_close(model(padded)[:, 3:], model(TEXT), atol=1e-12, rtol=0)


@FAMILIES
@pytest.mark.parametrize("beams", [1, 3])
def test_generation_with_a_cache_is_that_without(family, beams):
    model = language_model(**family)
    prompts = torch.tensor([[0, 0, 5, 8, 11], [7, 12, 9, 4, 6]])

    with_cache, without = (generate(model, prompts, 6, num_beams=beams, use_cache=use) for use in (True, False))

    assert torch.equal(with_cache, without)


@pytest.mark.parametrize("padding", [0, 3])
def test_a_prompt_read_at_once_into_the_cache_gives_the_logits_of_every_place(padding):
    """None of them sees what follows it. The last place does not tell: it may see all."""
    model, prompt = language_model(**LLAMA), torch.nn.functional.pad(TEXT, (padding, 0), value=0)

    cached = model.decode(prompt, model.new_cache(4))

    torch.testing.assert_close(cached[:, padding:], model(prompt)[:, padding:])


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_new_tokens_that_come_together_see_what_is_before_them_alone(size, padding):
    """And of that no padding, which stands in front."""
    model, prompt = language_model(**LLAMA), torch.nn.functional.pad(TEXT[:, :-size], (padding, 0), value=0)
    cache = model.new_cache(size)

    model.decode(prompt, cache)

    torch.testing.assert_close(model.decode(TEXT[:, -size:], cache), model(TEXT)[:, -size:])


@pytest.mark.parametrize(("ids", "message"), [([[5, 17]], "17"), ([[-1, 5]], "-1"), ([[5] * 17], "17 tokens")])
def test_ids_that_cannot_be_read_are_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        language_model(**LLAMA)(torch.tensor(ids))


@pytest.mark.parametrize("tied", [True, False])
def test_embedding_and_output_are_one_matrix_where_the_config_says_so(tied):
    model = language_model(**LLAMA, tie_embeddings=tied)

    assert (model.output.weight is model.source_embedding.weight) == tied


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("trained", [True, False])
def test_untying_changes_no_logit_and_separates_the_matrices(bias, trained):
    model = language_model(**LLAMA | {"bias": bias}).requires_grad_(trained)
    before = model(TEXT)

    model.untie_weights()

    assert torch.equal(model(TEXT), before)
    assert not model.config.tie_embeddings
    assert {model.output.weight.requires_grad, model.source_embedding.weight.requires_grad} == {trained}
    assert (model.output.bias is not None) == bias
    with torch.no_grad():
        model.source_embedding.weight.zero_()
    assert model.output.weight.abs().sum() > 0
    DecoderOnly(model.config).load_state_dict(model.state_dict())


def test_the_cache_stores_the_fewer_heads():
    model = language_model(**LLAMA)
    cache = model.new_cache(4)

    model.decode(TEXT, cache)

    assert [store.shape for store in cache.layers[0].stored] == [(1, 2, 7 + 4, 4)] * 2


@FAMILIES
def test_the_fused_twins_give_the_same(family):
    model = language_model(**family)
    twin = DecoderOnly(config(attention="fused", **family)).double().eval()
    twin.load_state_dict(model.state_dict())

    torch.testing.assert_close(twin(TEXT), model(TEXT), atol=1e-10, rtol=0)
    assert type(twin.decoder.norm).__name__ == "FusedRMSNorm"


def test_watching_sees_a_map_for_every_head_of_queries():
    model = language_model(**LLAMA)

    with record_attention(model) as maps:
        model(TEXT)

    assert [weights[0].shape for weights in maps.values()] == [(1, 6, 7, 7)] * 2
    torch.testing.assert_close(maps["decoder.layers.1.self_attention"][0].sum(dim=-1), torch.ones(1, 6, 7).double())


def test_gradient_checkpointing_gives_the_same_gradients():
    model = language_model(**QWEN_3).train()
    found = []
    for enabled in (False, True):
        model.gradient_checkpointing(enabled)
        model.zero_grad()
        model(TEXT).square().sum().backward()
        found.append([parameter.grad.clone() for parameter in model.parameters()])

    for plain, again in zip(*found, strict=True):
        torch.testing.assert_close(again, plain)


def test_a_saved_model_is_loaded_with_all_its_options(tmp_path):
    model = language_model(**QWEN_2, rope_factor=3.0).float()
    save_model(model, tmp_path)

    loaded = load_model(tmp_path)

    assert loaded.config == model.config
    assert torch.equal(loaded(TEXT), model(TEXT))


@pytest.mark.parametrize(
    ("changes", "with_bias"),
    [
        ({"bias": False}, set()),
        ({"bias": False, "qkv_bias": True}, {"q_proj", "k_proj", "v_proj"}),
        ({"bias": True, "qkv_bias": False}, {"out_proj", "fc1", "fc2", "fc3"}),
        ({}, {"q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2", "fc3"}),
    ],
)
def test_biases_are_where_the_switches_say(changes, with_bias):
    model = DecoderOnly(config(num_encoder_layers=0, norm_kind="rms", gated=True, **changes))

    names = {name.split(".")[-2] for name, _ in model.named_parameters() if name.endswith(".bias")}

    assert names == with_bias


def test_an_untied_output_has_a_bias_only_where_the_linear_layers_have():
    outputs = [
        DecoderOnly(config(num_encoder_layers=0, tie_embeddings=False, bias=bias)).output for bias in (True, False)
    ]

    assert [output.bias is not None for output in outputs] == [True, False]


def test_rms_norm_is_its_formula():
    norm, x = shaken(RMSNorm(7, eps=0.03)), random(4, 7)

    np.testing.assert_allclose(
        norm(x).detach().numpy(), rms_norm(x.numpy(), norm.weight.detach().numpy(), 0.03), atol=1e-12
    )


def test_the_gated_feed_forward_is_its_formula():
    module, x = shaken(GatedFeedForward(5, 9, "silu", bias=False)), random(4, 5)

    wanted = gated_feed_forward(x.numpy(), *(arrays(module)[f"{name}.weight"] for name in ("fc1", "fc3", "fc2")))

    np.testing.assert_allclose(module(x).detach().numpy(), wanted, atol=1e-12)


def test_neighbouring_heads_share_their_keys():
    keys = random(2, 2, 3, 4)

    shared = for_every_query(keys, 6)

    assert torch.equal(shared[:, :3], keys[:, :1].expand(-1, 3, -1, -1))
    assert torch.equal(shared[:, 3:], keys[:, 1:].expand(-1, 3, -1, -1))


MISTAKES = {
    "num_heads 3 is not divisible by num_kv_heads 2": {"num_kv_heads": 2},
    "num_kv_heads must be at least 1, not 0": {"num_kv_heads": 0},
    "head_size must be at least 1, not -4": {"head_size": -4},
    "rotary positions turn pairs of numbers in a decoder-only model, not heads of 5": {
        "positions": "rotary",
        "num_encoder_layers": 0,
        "head_size": 5,
    },
    "rotary positions turn pairs of numbers in a decoder-only model, not heads of 4 and 1 encoder": {
        "positions": "rotary"
    },
    "rope_base must be positive, not 0": {"rope_base": 0},
    "rope_low_freq_factor must be below rope_high_freq_factor, not 4.0 and 4.0": {"rope_low_freq_factor": 4.0},
}


@pytest.mark.parametrize("message", MISTAKES)
def test_an_impossible_option_is_refused_with_its_numbers(message):
    with pytest.raises(ValueError, match=message):
        config(**MISTAKES[message])


@pytest.mark.parametrize("kind", [Transformer, EncoderOnly])
def test_rotary_positions_are_refused_elsewhere(kind):
    shape = config(positions="rotary", num_encoder_layers=0, num_decoder_layers=0)

    with pytest.raises(ValueError, match="positions 'rotary' belong to a decoder-only model"):
        kind(shape)


def test_attention_refuses_heads_that_cannot_be_shared():
    with pytest.raises(ValueError, match="num_heads 6 is not divisible by num_kv_heads 4"):
        MultiHeadAttention(12, 6, num_kv_heads=4)


def test_a_place_that_is_real_is_said_with_a_boolean():
    with pytest.raises(TypeError, match=r"real is boolean.* not torch.int64; a decoder alone is trained on Texts"):
        unwrap(DecoderOnly.embed_source)(DecoderOnly(config(**LLAMA)), *torch.ones(2, 1, 3).long())
