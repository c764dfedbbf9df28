"""A Hugging Face folder becomes our model: the right class, every tensor in its place, and nothing that does not fit."""

import json

import pytest
import torch
from safetensors.torch import save_file

from transformer import DecoderOnly, EncoderOnly, MaskedWordHead, Transformer
from transformer.pretrained import load_pretrained
from transformer.pretrained.load import Undrawn
from transformer.pretrained.marian import sinusoids_in_halves

KINDS = {
    "MarianMTModel": Transformer,
    "BartForConditionalGeneration": Transformer,
    "BertModel": EncoderOnly,
    "BertForMaskedLM": EncoderOnly,
    "GPT2LMHeadModel": DecoderOnly,
}


@pytest.mark.parametrize("architecture", KINDS)
def test_every_family_loads_and_runs_in_evaluation_mode(architecture, make_folder):
    folder, _ = make_folder(architecture)

    model = load_pretrained(folder)

    ids = torch.tensor([[4, 5, 6]])
    assert type(model) is KINDS[architecture]
    assert not model.training
    assert torch.isfinite(model(ids, ids) if type(model) is Transformer else model(ids)).all()


@pytest.mark.parametrize("prefix", ["model.", "bert.", "transformer."])
def test_a_prefix_that_some_files_leave_away_makes_no_difference(prefix, make_folder):
    architecture = {"model.": "BartForConditionalGeneration", "bert.": "BertForMaskedLM"}.get(prefix, "GPT2LMHeadModel")
    folder, tensors = make_folder(architecture)
    before = load_pretrained(folder).state_dict()

    save_file({name.removeprefix(prefix): tensor for name, tensor in tensors.items()}, folder / "model.safetensors")

    after = load_pretrained(folder).state_dict()
    assert all(after[name].equal(tensor) for name, tensor in before.items())


def test_marian_s_sinusoids_stand_in_halves_and_are_not_trained(make_folder):
    folder, _ = make_folder("MarianMTModel")

    model = load_pretrained(folder)

    sines, cosines = model.source_positions.weight.chunk(2, dim=1)
    assert torch.equal(model.source_positions.weight, sinusoids_in_halves(6, 8))
    assert torch.allclose(sines**2 + cosines**2, torch.ones(6, 4))
    assert not model.source_positions.weight.requires_grad
    assert not model.output.bias.requires_grad


def test_marian_learns_nothing_from_a_padding_that_it_looks_up(make_folder):
    folder, _ = make_folder("MarianMTModel")
    model = load_pretrained(folder)
    ids = torch.tensor([[4, model.config.pad_id]])

    for embedding in (model.source_embedding, model.target_embedding):
        model.zero_grad()
        embedding(ids).sum().backward()
        assert embedding.weight.grad.sum(dim=1).nonzero().flatten().tolist() == [4]


def test_bart_s_first_two_positions_are_not_used(make_folder):
    folder, tensors = make_folder("BartForConditionalGeneration")

    model = load_pretrained(folder)

    assert torch.equal(model.target_positions.weight, tensors["model.decoder.embed_positions.weight"][2:])
    assert torch.equal(model.source_norm.weight, tensors["model.encoder.layernorm_embedding.weight"])


def test_bert_s_head_guesses_words_with_the_embedding_itself(make_folder):
    folder, tensors = make_folder("BertForMaskedLM")

    model = load_pretrained(folder)

    assert isinstance(model.output, MaskedWordHead)
    assert model.output.words.weight is model.source_embedding.weight
    assert torch.equal(model.output.words.bias, tensors["cls.predictions.bias"])


def test_the_oldest_names_of_bert_s_norms_are_known(make_folder):
    folder, tensors = make_folder("BertModel")
    old = {name.replace("LayerNorm.weight", "LayerNorm.gamma"): tensor for name, tensor in tensors.items()}
    save_file(
        {name.replace("LayerNorm.bias", "LayerNorm.beta"): tensor for name, tensor in old.items()},
        folder / "model.safetensors",
    )

    model = load_pretrained(folder)

    assert torch.equal(model.source_norm.bias, tensors["embeddings.LayerNorm.bias"])


def test_gpt2_s_fused_matrix_becomes_three_and_turns(make_folder):
    folder, tensors = make_folder("GPT2LMHeadModel")

    attention = load_pretrained(folder).decoder.layers[0].self_attention

    fused, bias = tensors["transformer.h.0.attn.c_attn.weight"], tensors["transformer.h.0.attn.c_attn.bias"]
    assert torch.equal(attention.k_proj.weight, fused[:, 8:16].T)
    assert torch.equal(attention.v_proj.bias, bias[16:])


def test_where_gpt2_has_no_padding_its_end_of_text_serves(make_folder):
    folder, _ = make_folder("GPT2LMHeadModel")

    config = load_pretrained(folder).config

    assert config.pad_id == config.eos_id == 3


@pytest.mark.parametrize(
    ("architecture", "activation"), [("BertModel", "gelu"), ("GPT2LMHeadModel", "gelu_tanh"), ("MarianMTModel", "silu")]
)
def test_a_family_s_activation_is_known(architecture, activation, make_folder):
    folder, _ = make_folder(architecture)

    assert load_pretrained(folder).config.activation == activation


def test_fields_of_the_config_can_be_changed(make_folder):
    folder, _ = make_folder("MarianMTModel", dropout=0.3)

    config = load_pretrained(folder, attention="fused").config

    assert (config.dropout, config.attention) == (0.3, "fused")


def test_what_does_not_fit_is_refused_with_the_whole_list(make_folder):
    folder, tensors = make_folder("MarianMTModel")
    del tensors["model.decoder.layers.0.fc1.bias"]
    tensors["model.decoder.layers.1.fc1.bias"] = torch.zeros(12)
    tensors["model.encoder.layers.0.fc2.weight"] = torch.zeros(8, 13)
    save_file(tensors, folder / "model.safetensors")

    with pytest.raises(ValueError) as error:
        load_pretrained(folder)

    message = str(error.value)
    assert "missing decoder.layers.0.fc1.bias" in message
    assert "unknown decoder.layers.1.fc1.bias" in message
    assert (
        "encoder.layers.0.fc2.weight gives encoder.layers.0.feed_forward.fc2.weight (8, 13), the config (8, 12)"
        in message
    )


@pytest.mark.parametrize(
    ("architecture", "tied", "copy"),
    [
        ("MarianMTModel", "model.shared.weight", "lm_head.weight"),
        ("BertForMaskedLM", "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
    ],
)
def test_copies_of_the_tied_matrix_must_be_copies(architecture, tied, copy, make_folder):
    folder, tensors = make_folder(architecture)
    save_file(tensors | {copy: tensors[tied].clone()}, folder / "model.safetensors")
    load_pretrained(folder)

    save_file(tensors | {copy: tensors[tied] + 1.0}, folder / "model.safetensors")

    with pytest.raises(ValueError, match=f"{copy} differs from {tied.partition('.')[2]}"):
        load_pretrained(folder)


@pytest.mark.parametrize(
    "names", [["T5ForConditionalGeneration"], None, "GPT2LMHeadModel", [], [["GPT2LMHeadModel"]], [{}]]
)
def test_another_architecture_is_refused_with_those_that_are_known(names, make_folder):
    folder, _ = make_folder("GPT2LMHeadModel", architectures=names)

    with pytest.raises(ValueError, match="known are MarianMTModel, BartForConditionalGeneration"):
        load_pretrained(folder)


@pytest.mark.parametrize(
    ("architecture", "settings", "message"),
    [
        ("MarianMTModel", {"share_encoder_decoder_embeddings": False}, "share_encoder_decoder_embeddings False"),
        ("MarianMTModel", {"decoder_vocab_size": 12}, "decoder_vocab_size 12"),
        ("MarianMTModel", {"decoder_ffn_dim": 16}, "encoder_ffn_dim, decoder_ffn_dim must be equal"),
        ("MarianMTModel", {"activation_function": "mish"}, "activation 'mish'"),
        ("MarianMTModel", {"d_model": None}, "lacks d_model"),
        ("MarianMTModel", {"eos_token_id": [0, 3]}, "one token id"),
        ("BertModel", {"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key'"),
        ("BertModel", {"is_decoder": True}, "is_decoder True"),
        ("BertModel", {"add_cross_attention": True}, "add_cross_attention True"),
        ("BertModel", {"tie_word_embeddings": False}, "tie_word_embeddings False"),
        ("MarianMTModel", {"tie_word_embeddings": False}, "tie_word_embeddings False"),
        ("MarianMTModel", {"normalize_before": True}, "normalize_before True"),
        ("BertModel", {"hidden_size": "8"}, "hidden_size must be an integer"),
        ("BertModel", {"intermediate_size": 0}, "intermediate_size must be"),
        (
            "BertModel",
            {"vocab_size": 13},
            "config.json says vocab_size 13; the longest side of a tensor beside it is 12",
        ),
        ("GPT2LMHeadModel", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx True"),
        ("GPT2LMHeadModel", {"n_head": 3}, "d_model 8 is not divisible by num_heads 3"),
    ],
)
def test_a_setting_that_our_blocks_do_not_carry_is_refused(architecture, settings, message, make_folder):
    folder, _ = make_folder(architecture, **settings)

    with pytest.raises(ValueError, match=message):
        load_pretrained(folder)


def test_a_config_that_is_no_object_is_refused(make_folder):
    folder, _ = make_folder("BertModel")
    (folder / "config.json").write_text(json.dumps(["BertModel"]), encoding="utf-8")

    with pytest.raises(ValueError, match="must hold an object, not a list"):
        load_pretrained(folder)


def test_one_tensor_under_two_names_is_refused(make_folder):
    folder, tensors = make_folder("BertModel")
    twice = {f"bert.{name}": tensor.clone() for name, tensor in tensors.items() if "word" in name}
    save_file(tensors | twice, folder / "model.safetensors")

    with pytest.raises(ValueError, match=r"1 tensors under two names"):
        load_pretrained(folder)


def test_unknown_tensors_are_named_in_the_order_of_their_names(make_folder):
    folder, tensors = make_folder("BertModel")
    save_file(
        tensors | {name: torch.zeros(1) for name in ("bert.zb", "bert.zd", "za", "zc")}, folder / "model.safetensors"
    )

    with pytest.raises(ValueError) as error:
        load_pretrained(folder)

    assert str(error.value).endswith("; ".join(f"unknown z{letter}" for letter in "abcd"))


def test_where_no_weights_are_drawn_a_draw_gives_back_the_tensor_as_it_was():
    zeros = torch.zeros(3)

    with Undrawn():
        assert zeros.normal_() is zeros.uniform_(1.0, 2.0) is zeros

    assert not zeros.any()
