"""Rows of their own for a few tokens."""

import torch
from torch import nn

from tests.peft.small import batch, small_base, technique


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
