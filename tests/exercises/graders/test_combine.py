"""Grader: the weighted sum of several updates as one."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches, assert_refused
from peft.combine import COMBINATIONS
from peft.lora import LoraLinear
from tests.exercises.graders import given

WEIGHTS, ALPHAS = (0.7, -1.3), (6.0, 5.0)


def layers(ranks):
    made = [LoraLinear(given.base(), rank, alpha) for rank, alpha in zip(ranks, ALPHAS, strict=True)]
    return [given.scattered(layer.double()) for layer in made]


def arrays(layer):
    return layer.lora_B.weight.detach().numpy(), layer.lora_A.weight.detach().numpy()


def total(chosen, weights=WEIGHTS, scalings=None):
    scalings = scalings or [layer.scaling for layer in chosen]
    pairs = zip(weights, scalings, chosen, strict=True)
    return sum(weight * scaling * np.matmul(*arrays(layer)) for weight, scaling, layer in pairs)


def update(kind, chosen, svd_rank=None):
    up, down = COMBINATIONS[kind](list(zip(WEIGHTS, chosen, strict=True)), svd_rank)
    return up @ down


def nearest(matrix, rank):
    left, values, right = np.linalg.svd(matrix)
    return (left[:, :rank] * values[:rank]) @ right[:rank]


def test_cat_is_the_weighted_sum_of_the_updates():
    chosen = layers((2, 3))
    mistakes = {
        "the scaling α/r is missing": total(chosen, scalings=[1.0, 1.0]),
        "the weights are missing": total(chosen, weights=(1.0, 1.0)),
    }
    assert_matches(update("cat", chosen), total(chosen), "d_out d_in", name="the update of cat", mistakes=mistakes)


@pytest.mark.parametrize("asked", [1, 2])
def test_svd_is_the_nearest_matrix_of_the_rank_that_was_asked_for(asked):
    chosen = layers((2, 3))
    wanted = nearest(total(chosen), asked)
    left, _, right = np.linalg.svd(total(chosen))
    mistakes = {
        "the rank that was asked for is not used": nearest(total(chosen), 3),
        "the singular values are missing": left[:, :asked] @ right[:asked],
        "it is the mean of the updates, where their sum is wanted": wanted / 2,
    }
    assert_matches(update("svd", chosen, asked), wanted, "d_out d_in", name="the update of svd", mistakes=mistakes)


def test_svd_takes_the_largest_rank_when_none_is_asked_for():
    chosen = layers((1, 2))

    assert_matches(update("svd", chosen), nearest(total(chosen), 2), "d_out d_in", name="the update of svd")


def test_linear_adds_the_factors():
    chosen = layers((2, 2))

    def added(power, signs):
        sizes = [(abs(weight) * layer.scaling) ** power for weight, layer in zip(WEIGHTS, chosen, strict=True)]
        ups, downs = zip(*(arrays(layer) for layer in chosen), strict=True)
        up = sum(size * factor for size, factor in zip(sizes, ups, strict=True))
        return up @ sum(sign * size * factor for sign, size, factor in zip(signs, sizes, downs, strict=True))

    mistakes = {
        "a negative weight adds, where it takes away": added(0.5, (1.0, 1.0)),
        "w and s stand once in each factor, so twice in the product: each takes their root": added(1.0, (1.0, -1.0)),
    }
    expected = added(0.5, (1.0, -1.0))
    assert_matches(update("linear", chosen), expected, "d_out d_in", name="the update of linear", mistakes=mistakes)


def test_linear_with_ranks_that_differ_is_refused():
    assert_refused(COMBINATIONS["linear"], list(zip(WEIGHTS, layers((2, 3)), strict=True)), None)


def test_the_factors_carry_no_gradient():
    factors = COMBINATIONS["cat"](list(zip(WEIGHTS, layers((2, 3)), strict=True)), None)

    assert not any(isinstance(factor, torch.Tensor) and factor.requires_grad for factor in factors), (
        "property: the new factors carry no gradient of the parts"
    )
