"""Grader: how a source becomes vectors and a mask."""

import math

import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from tests.exercises.graders import given

SOURCE = torch.tensor([[5, 8, 11, 6, 2], [7, 12, 2, 0, 0], [9, 0, 2, 0, 0]])


@pytest.mark.parametrize("scaled", [True, False])
def test_every_token_becomes_its_vector_times_the_embedding_scale(scaled):
    model = given.model(scale_embeddings=scaled)
    root = math.sqrt(model.config.d_model)
    rows = model.source_embedding.weight[SOURCE]

    x, _ = model.embed_source(SOURCE)

    with_positions = root * rows + model.source_positions(SOURCE.shape[1])
    assert_matches(
        x,
        (root if scaled else 1.0) * rows,
        "batch source d_model",
        name="the vectors",
        scales={"√d_model": root},
        mistakes={"the positions are in it already; they are added later": with_positions} if scaled else {},
    )


def test_dropout_waits_for_the_positions():
    model = given.model().train()
    model.dropout.forward = torch.zeros_like

    x, _ = model.embed_source(SOURCE)

    rows = math.sqrt(model.config.d_model) * model.source_embedding.weight[SOURCE]
    mistakes = {"dropout falls on it already: it comes later, with the positions": torch.zeros_like(rows)}
    assert_matches(x, rows, "batch source d_model", name="the vectors in training", mistakes=mistakes)


def test_the_vectors_are_rows_of_the_sources_own_table():
    model = given.model(tie_embeddings=False)
    root = math.sqrt(model.config.d_model)

    x, _ = model.embed_source(SOURCE)

    mistakes = {"the vectors are taken from target_embedding": root * model.target_embedding.weight[SOURCE]}
    right = root * model.source_embedding.weight[SOURCE]
    assert_matches(x, right, "batch source d_model", name="the vectors of two tables", mistakes=mistakes)


def test_the_mask_is_true_where_a_token_is_real():
    _, mask = given.model().embed_source(SOURCE)

    real = (SOURCE != 0)[:, None, None, :]
    mistakes = {
        "the mask is the other way round: True means a real token": ~real,
        "the mask lets padding in": real | True,
    }
    assert_matches(mask, real, "batch 1 1 source", name="the mask", dtype=torch.bool, mistakes=mistakes)


def test_the_padding_id_is_that_of_the_config():
    _, mask = given.model(pad_id=2, eos_id=3).embed_source(SOURCE)

    assert_matches(mask, (SOURCE != 2)[:, None, None, :], "batch 1 1 source", name="the mask")


def test_what_stands_in_the_source_input_may_put_something_in_front():
    model = given.model()
    model.source_input = InFront(model.config.d_model)

    x, mask = model.embed_source(SOURCE)

    assert x.shape[1] == mask.shape[3] == SOURCE.shape[1] + 2, (
        "property: vectors and mask pass through self.source_input, where a prompt may be put in front of them; "
        f"here it adds 2 to {SOURCE.shape[1]}, and {x.shape[1]} vectors and {mask.shape[3]} columns came"
    )


class InFront(torch.nn.Module):
    """Two vectors more."""

    def __init__(self, d_model: int):
        super().__init__()
        self.d_model = d_model

    def forward(self, x, mask):
        x = torch.cat([x.new_ones(len(x), 2, self.d_model), x], dim=1)
        return x, torch.cat([mask.new_ones(len(mask), 1, 1, 2), mask], dim=3)
