"""Grader: LoRA that starts at the matrix's own principal directions."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from peft.pissa import PissaLinear, principal_factors
from tests.exercises.graders import given
from tests.reference.lora_family import pissa

RANK, ALPHA = 2, 6.0
SCALING = ALPHA / RANK
SCALES = {"α/r": SCALING, "√(α/r)": SCALING**0.5}


@pytest.fixture
def layer():
    return PissaLinear(given.base(), RANK, ALPHA).double().eval()


def best(weight):
    left, values, right = np.linalg.svd(weight, full_matrices=False)
    return left[:, :RANK] @ np.diag(values[:RANK]) @ right[:RANK]


def test_the_start_is_the_best_approximation_of_this_rank():
    weight = given.normal(5, 7)

    up, down = principal_factors(weight, RANK, SCALING)

    left, values, right = np.linalg.svd(weight.numpy(), full_matrices=False)
    smallest = left[:, -RANK:] @ np.diag(values[-RANK:]) @ right[-RANK:]
    mistakes = {
        "the singular values are missing": SCALING * left[:, :RANK] @ right[:RANK],
        "the smallest directions are taken, where the largest are wanted": smallest,
        "A and B are too large by √s each: W's part has to be s · B A": SCALING * best(weight.numpy()),
        "the singular values are there twice: each factor takes their root": left[:, :RANK]
        @ np.diag(values[:RANK] ** 2)
        @ right[:RANK]
        / SCALING,
    }
    assert_matches(
        SCALING * up @ down, best(weight.numpy()), "d_out d_in", name="s · B₀ A₀", mistakes=mistakes, scales=SCALES
    )


def test_both_factors_take_the_same_share():
    up, down = principal_factors(given.normal(5, 7), RANK, SCALING)

    assert_matches(up.T @ up, (down @ down.T).detach(), "rank rank", name="B₀ᵀ B₀ (compared with A₀ A₀ᵀ)")


def test_at_the_start_nothing_is_changed(layer):
    x = given.normal(3, 7)

    mistakes = {"the start is not subtracted": layer.scaling * layer.lora_B(layer.lora_A(x))}
    assert_matches(layer.delta(x), np.zeros((3, 5)), "batch d_out", name="delta(x) at the start", mistakes=mistakes)


def test_after_training_it_is_the_papers_formula(layer):
    x, arrays = given.normal(3, 7), given.arrays(layer)
    with torch.no_grad():
        layer.lora_A.weight.add_(given.normal(RANK, 7))
        layer.lora_B.weight.add_(given.normal(5, RANK))

    wanted = pissa(
        x.numpy(),
        arrays["base.weight"],
        arrays["base.bias"],
        arrays["lora_A.weight"],
        arrays["lora_B.weight"],
        RANK,
        SCALING,
    )
    plain = layer.base(x) + layer.scaling * layer.lora_B(layer.lora_A(x))
    mistakes = {"the start is not subtracted": plain}
    assert_matches(layer(x), wanted, "batch d_out", scales=SCALES, mistakes=mistakes)


def test_dropout_falls_on_what_is_learnt_and_not_on_the_start():
    layer = PissaLinear(given.base(), RANK, ALPHA, dropout=0.5).double().train()
    layer.dropout.forward = torch.zeros_like
    x = given.normal(3, 7)

    wanted = -x @ (SCALING * layer.start_B @ layer.start_A).T
    mistakes = {"dropout falls on both": torch.zeros_like(wanted), "dropout is not used": layer.eval().delta(x)}
    assert_matches(layer.train().delta(x), wanted, "batch d_out", name="delta(x) without x'", mistakes=mistakes)


def test_merged_it_is_a_plain_layer_of_the_same_numbers(layer):
    x = given.normal(3, 7)
    with torch.no_grad():
        layer.lora_B.weight.add_(given.normal(5, RANK))

    mistakes = {
        "the start is not subtracted from the weight": layer(x) + SCALING * x @ (layer.start_B @ layer.start_A).T
    }
    assert_matches(layer.merged()(x), layer(x), "batch d_out", name="what the merged layer computes", mistakes=mistakes)
