"""Rows of their own for a few tokens."""

import copy

import pytest
import torch
from torch import nn

from peft import LoraConfig, get_peft_model
from peft.frame.tokens import TokenRows
from tests.peft.small import batch, small_base, technique
from transformer import EncoderOnly, TransformerConfig
from transformer.encoder_only import MaskedWordHead


def test_trained_tokens_are_read_by_their_own_rows_and_all_others_by_the_bases() -> None:
    model = technique("lora", trainable_token_indices=(3, 7))
    (rows,) = model.adapters["default"].token_rows().values()
    with torch.no_grad():
        rows.normal_()

    read = model.source_embedding(torch.tensor([[3, 5, 7]]))[0]

    assert torch.equal(read[[0, 2]], rows)
    assert torch.equal(read[1], small_base().source_embedding.weight[5])


def test_a_table_of_something_else_has_no_rows_for_tokens() -> None:
    base = small_base()
    base.places = nn.Embedding(48, 24)
    model = technique("lora", base, trainable_token_indices=(3,))
    assert set(model.adapters["default"].rows_by_path) == {"source_embedding", "target_embedding", "output"}


def test_under_autocast_the_logits_have_the_type_of_the_bases() -> None:
    model = technique("lora", trainable_token_indices=(3,))
    with torch.autocast("cpu", torch.bfloat16):
        said = model(*batch())
        with model.disable_adapter():
            assert said.dtype == model(*batch()).dtype == torch.bfloat16


@pytest.mark.parametrize("head", [None, MaskedWordHead])
@pytest.mark.parametrize("tied", [True, False])
def test_an_encoder_alone_has_rows_where_its_words_are(head: type | None, tied: bool) -> None:
    shape = encoder_shape(tie_embeddings=tied)
    model = get_peft_model(
        EncoderOnly(shape, head and head(shape)),
        LoraConfig(r=2, target_modules=("q_proj",), trainable_token_indices=(3,)),
    ).eval()
    source = torch.tensor([[3, 5, 7]])
    before = model(source)
    with torch.no_grad():
        for rows in model.adapters["default"].token_rows().values():
            rows.normal_()

    said = model(source)

    assert set(model.adapters["default"].rows_by_path) == {"source_embedding"} | ({"output.words"} if head else set())
    assert (said - before).abs().max() > 1e-3
    torch.testing.assert_close(copy.deepcopy(model).merge_and_unload()(source), said)


def test_a_head_that_is_merged_alone_is_tied_no_more() -> None:
    shape = encoder_shape(tie_embeddings=True)
    model = get_peft_model(EncoderOnly(shape, MaskedWordHead(shape)), LoraConfig(r=2, target_modules=("words",))).eval()
    with torch.no_grad():
        for parameter in model.adapters["default"].own_parameters().values():
            parameter.normal_()
    source = torch.tensor([[3, 5, 7]])
    said, words = model(source), model.base_model.source_embedding.weight.clone()

    merged = model.merge_and_unload()

    torch.testing.assert_close(merged(source), said)
    assert torch.equal(merged.source_embedding.weight, words)
    assert not merged.config.tie_embeddings


def encoder_shape(**changes: object) -> TransformerConfig:
    fields = {"vocab_size": 31, "d_model": 24, "num_heads": 3, "num_encoder_layers": 1, "num_decoder_layers": 0}
    return TransformerConfig(**fields, d_ff=40, dropout=0.0, max_length=16, num_segments=2, **changes)


def test_which_tokens_have_rows_stands_in_the_config_and_not_among_the_numbers() -> None:
    rows = TokenRows(torch.tensor([3]), nn.Parameter(torch.randn(1, 4)))
    assert set(rows.state_dict()) == {"rows"}


def test_a_base_in_half_precision_has_rows_in_full_precision_and_says_what_it_says_in_its_own() -> None:
    base = small_base(tie_embeddings=False).to(torch.bfloat16)
    model = get_peft_model(base, LoraConfig(r=2, target_modules=("q_proj",), trainable_token_indices=(0, 3)))

    assert {rows.dtype for rows in model.adapters["default"].token_rows().values()} == {torch.float32}
    assert model.source_embedding(torch.tensor([[0, 5]])).dtype == torch.bfloat16
    assert model(*batch()).dtype == torch.bfloat16


def test_under_autocast_a_bias_of_the_output_changes_no_type() -> None:
    model = technique("lora", small_base(output_bias=True), trainable_token_indices=(3,))
    with torch.autocast("cpu", torch.bfloat16):
        assert model(*batch()).dtype == torch.bfloat16


@pytest.mark.parametrize("tokens", [(3, 3), (-1,), (3, 48)], ids=["twice", "below 0", "one beyond the last"])
def test_tokens_that_are_none_are_refused(tokens: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be different ids of the vocabulary 0\.\."):
        technique("lora", trainable_token_indices=tokens)


def test_a_merge_beside_the_matrix_of_tokens_leaves_it_tied() -> None:
    merged = get_peft_model(small_base(), LoraConfig(r=2, target_modules=("q_proj",))).merge_and_unload()

    assert merged.config.tie_embeddings
    assert merged.output.weight is merged.source_embedding.weight


def test_a_base_without_matrices_of_tokens_has_no_rows_to_train() -> None:
    base = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 9))
    with pytest.raises(ValueError, match=r"trainable_token_indices \(3,\): Sequential has no matrices of tokens"):
        get_peft_model(base, LoraConfig(r=2, target_modules=("1",), trainable_token_indices=(3,)))
