"""Grader: which level is nearest?"""

import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from quant.codebooks import CODEBOOKS, thresholds


def numbers():
    return torch.linspace(-1.3, 1.3, 1001)


def codes_of(codebook, x):
    """What a code is by the thresholds: how many of them lie below the number."""
    between, code_of_rank = thresholds(codebook)
    return code_of_rank[(x[:, None] > between).sum(dim=1)]


def nearest(codebook, x):
    """The nearest level; a tie goes to the lower value, and of two equal levels to the first."""
    distance = (x[:, None].double() - codebook.double()).abs()
    order = codebook.sort(stable=True).indices
    return order[distance[:, order].argmin(dim=1)]


@pytest.mark.parametrize("name", CODEBOOKS)
def test_the_levels_change_halfway_between_neighbours(name):
    between, _ = thresholds(CODEBOOKS[name])

    levels = CODEBOOKS[name].sort().values
    mistakes = {
        "these are the levels themselves, not the middles between them": levels[:-1],
        "that is the distance of neighbours, not their middle": levels[1:] - levels[:-1],
        "the sum of neighbours is not halved": levels[1:] + levels[:-1],
    }
    assert_matches(between, (levels[1:] + levels[:-1]) / 2, "threshold", name="the thresholds", mistakes=mistakes)


@pytest.mark.parametrize("name", CODEBOOKS)
def test_the_code_of_a_rank_leads_back_to_the_codebooks_own_order(name):
    codebook = CODEBOOKS[name]

    _, code_of_rank = thresholds(codebook)

    assert code_of_rank.dtype == torch.uint8, f"dtype: codes are torch.uint8, not {code_of_rank.dtype}"
    assert_matches(codebook[code_of_rank.long()], codebook.sort().values, "rank", name="the levels by rank")


@pytest.mark.parametrize("name", CODEBOOKS)
def test_every_number_gets_its_nearest_level(name):
    codebook, x = CODEBOOKS[name], numbers()

    codes = codes_of(codebook, x)

    assert_matches(codebook[codes.long()], codebook[nearest(codebook, x)], "number", name="the level of each number")


def test_of_two_equal_levels_the_first_is_taken():
    codes = codes_of(CODEBOOKS["fp4"], torch.zeros(1))

    assert int(codes[0]) in (0, 8), f"value: 0 is level 0 or 8 of FP4, not {int(codes[0])}"
    _, code_of_rank = thresholds(CODEBOOKS["fp4"])
    ranks = [code_of_rank.tolist().index(code) for code in (0, 8)]
    assert ranks[0] < ranks[1], "property: equal levels keep their order: sort with stable=True"
