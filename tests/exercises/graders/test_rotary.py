"""Grader: queries and keys are turned by their position."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from tests.exercises.graders import given
from tests.reference.language_model import rotary, slowed
from transformer.rotary import frequencies, rotation, turned

HEADS, D_HEAD, BASE = 3, 6, 50.0
PLACES = torch.tensor([[0, 1, 2, 7, 13], [4, 0, 9, 9, 2]])
SLOW = {"factor": 5.0, "low": 1.5, "high": 3.0, "original_length": 60}


def config(**changes):
    shape = {"num_encoder_layers": 0, "positions": "rotary", "d_model": 15, "head_size": D_HEAD, "rope_base": BASE}
    return given.config(**{**shape, **changes})


def longer():
    low_and_high = {"rope_low_freq_factor": SLOW["low"], "rope_high_freq_factor": SLOW["high"]}
    return config(rope_factor=SLOW["factor"], rope_original_length=SLOW["original_length"], **low_and_high)


def expected(x, places):
    """The reference, for every row and head."""
    rows = [np.stack([rotary(head.numpy(), row.numpy(), BASE) for head in heads]) for heads, row in zip(x, places)]
    return np.stack(rows)


def by_angle(x, cosine, sine):
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def by_neighbours(x, cosine, sine):
    first, second = x[..., 0::2], x[..., 1::2]
    return np.stack([first * cosine - second * sine, second * cosine + first * sine], axis=-1).reshape(x.shape)


def test_the_frequencies_are_those_of_the_papers_sines():
    index = np.arange(0, D_HEAD, 2)

    theta = frequencies(config())

    mistakes = {
        "the exponent is divided by d_model, not by d_head": BASE ** (-index / 15),
        "the exponent is halved: it is 2i / d_head": BASE ** (-index / 2 / D_HEAD),
        "the base is 10000, where config.rope_base is asked for": 10000.0 ** (-index / D_HEAD),
        "the base's power is multiplied, where it is divided: the exponent is negative": BASE ** (index / D_HEAD),
    }
    right = BASE ** (-index / D_HEAD)
    assert_matches(theta, right, "pair", name="the frequencies", dtype=torch.float64, mistakes=mistakes, rtol=1e-10)


def test_a_model_with_a_longer_context_has_slowed_frequencies():
    plain = BASE ** (-np.arange(0, D_HEAD, 2) / D_HEAD)

    theta = frequencies(longer())

    mistakes = {"they are not slowed: `slowed` is not called": plain}
    wanted = [slowed(one, **SLOW) for one in plain]
    assert_matches(theta, wanted, "pair", name="the frequencies", mistakes=mistakes)


def test_each_pair_is_turned_by_its_angle():
    x, angle = given.normal(2, HEADS, 5, D_HEAD), given.normal(2, 1, 5, D_HEAD // 2)
    cosine, sine = angle.cos(), angle.sin()

    output = turned(x, cosine, sine)

    parts = x.numpy(), cosine.numpy(), sine.numpy()
    first, second = np.split(parts[0], 2, axis=-1)
    interleaved = np.stack(np.split(by_angle(*parts), 2, axis=-1), axis=-1).reshape(x.shape)
    mistakes = {
        "the pairs are turned the other way round: by -t θ": by_angle(parts[0], parts[1], -parts[2]),
        "a pair is made of neighbours, where its numbers stand half a head apart": by_neighbours(*parts),
        "the two halves take turns in the output, where they stand one after the other": interleaved,
        "the sine is added in both halves: in the first it is subtracted, else they are turned the other way round": (
            np.concatenate([first * parts[1] + second * parts[2], second * parts[1] + first * parts[2]], axis=-1)
        ),
    }
    assert_matches(output, by_angle(*parts), "batch heads time d_head", mistakes=mistakes)


@pytest.mark.parametrize("places", [PLACES, PLACES.double()], ids=["whole", "float"])
def test_a_token_is_turned_by_its_place(places):
    x = given.normal(2, HEADS, 5, D_HEAD)

    output = rotation(places, config(), torch.float64)(x)

    counted = torch.arange(5).expand(2, -1)
    mistakes = {
        "the positions begin at 1": expected(x, PLACES + 1),
        "tokens are counted from the left, where `places` says at which position each stands": expected(x, counted),
        "every row is turned by the first row's places": expected(x, PLACES[:1].expand(2, -1)),
    }
    assert_matches(output, expected(x, PLACES), "batch heads time d_head", mistakes=mistakes)


def test_only_the_distance_of_query_and_key_counts():
    query, key = given.normal(1, 1, 1, D_HEAD), given.normal(1, 1, 1, D_HEAD)

    def score(at_query, at_key):
        places = (torch.tensor([[at]]) for at in (at_query, at_key))
        turn_query, turn_key = (rotation(place, config(), torch.float64) for place in places)
        return float((turn_query(query) * turn_key(key)).sum())

    near, far = score(5, 2), score(905, 902)
    assert near == pytest.approx(far, abs=1e-9), (
        f"property: 3 apart they meet as {near:.4f}, and further on as {far:.4f}"
    )


def test_far_positions_are_exact_and_come_in_the_type_that_was_asked_for():
    x, places = torch.randn(1, 1, 2, D_HEAD), torch.tensor([[100_000, 250_001]])

    output = rotation(places, config(), torch.float32)(x)

    narrow = places.float().numpy()[:, None, :, None] * (BASE ** (-np.arange(0, D_HEAD, 2) / D_HEAD)).astype(np.float32)
    narrow = by_angle(x.numpy(), np.cos(narrow), np.sin(narrow))
    mistakes = {"the angles are rounded to 32 bits: compute them in float64": narrow}
    right = expected(x.double(), places)
    assert_matches(
        output, right, "batch heads time d_head", dtype=torch.float32, mistakes=mistakes, rtol=1e-5, atol=1e-5
    )


def test_gradients_reach_the_heads():
    assert_gradients_flow(rotation(PLACES, config(), torch.float64), x=given.normal(2, HEADS, 5, D_HEAD))
