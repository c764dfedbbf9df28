"""Rotary positions: the formula, what it makes of distances, and how Llama 3.1 slows it."""

import numpy as np
import pytest
import torch

from tests.reference.language_model import rotary
from tests.transformer.small import config, random
from transformer.rotary import frequencies, rotation

LANGUAGE_MODEL = {"num_encoder_layers": 0, "positions": "rotary"}
PLACES = torch.tensor([[0, 1, 2, 7, 13], [4, 0, 9, 9, 2]])
SLOW = {"rope_factor": 5.0, "rope_low_freq_factor": 1.5, "rope_high_freq_factor": 3.0, "rope_original_length": 60}


@pytest.mark.parametrize("base", [10000.0, 11.0])
@pytest.mark.parametrize("slow", [{}, SLOW], ids=["plain", "slowed"])
def test_each_pair_is_turned_by_its_place_and_its_frequency(base, slow):
    shape = config(head_size=10, rope_base=base, **LANGUAGE_MODEL, **slow)
    x = random(2, 3, 5, 10)

    turned = rotation(PLACES, shape, torch.float64)(x)

    names = ("factor", "low", "high", "original_length")
    by_hand = dict(zip(names, slow.values(), strict=False))
    for row in range(2):
        for head in range(3):
            wanted = rotary(x[row, head].numpy(), PLACES[row].numpy(), base, **by_hand)
            np.testing.assert_allclose(turned[row, head].numpy(), wanted, atol=1e-12)


def test_a_slowed_model_has_pairs_of_all_three_kinds():
    shape = config(head_size=10, rope_base=11.0, **LANGUAGE_MODEL)
    slowed = config(head_size=10, rope_base=11.0, **LANGUAGE_MODEL, **SLOW)

    ratio = (frequencies(slowed) / frequencies(shape)).tolist()

    assert ratio[0] == 1.0
    assert ratio[-1] == pytest.approx(1 / 5)
    assert any(0.21 < one < 0.99 for one in ratio)


def test_only_the_distance_of_query_and_key_counts():
    shape = config(head_size=6, **LANGUAGE_MODEL)
    query, key = random(1, 1, 1, 6), random(1, 1, 1, 6)

    def score(at_query, at_key):
        turn_query, turn_key = (rotation(torch.tensor([[at]]), shape, torch.float64) for at in (at_query, at_key))
        return (turn_query(query) * turn_key(key)).sum().item()

    assert score(5, 2) == pytest.approx(score(15, 12), abs=1e-12)
    assert abs(score(5, 2) - score(5, 3)) > 1e-3


def test_a_turn_is_made_where_the_places_are():
    turn = rotation(PLACES.to("meta"), config(**LANGUAGE_MODEL), torch.float64)

    assert turn(random(2, 3, 5, 4).to("meta")).device.type == "meta"


def test_a_turn_keeps_every_length():
    x = random(2, 3, 5, 4)

    turned = rotation(PLACES, config(**LANGUAGE_MODEL), torch.float64)(x)

    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
