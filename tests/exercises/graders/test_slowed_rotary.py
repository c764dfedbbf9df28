"""Grader: for a longer context the slow pairs turn more slowly."""

import math

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from tests.exercises.graders import given
from tests.reference.language_model import slowed as by_hand
from transformer.rotary import slowed

FACTOR, LOW, HIGH, LENGTH = 5.0, 1.5, 4.0, 60
THETA = 11.0 ** (-torch.arange(0, 10, dtype=torch.float64) / 5)
"""The first pairs turn more than HIGH times within LENGTH, the last ones less than LOW times."""


def config(factor=FACTOR):
    own = {"rope_factor": factor, "rope_low_freq_factor": LOW, "rope_high_freq_factor": HIGH}
    return given.config(num_encoder_layers=0, positions="rotary", rope_original_length=LENGTH, **own)


def mixed(stays):
    return THETA.numpy() * ((1 - stays) / FACTOR + stays)


def share(turns):
    return (turns - LOW) / (HIGH - LOW)


def test_fast_pairs_stay_slow_ones_are_slowed_and_a_line_leads_from_one_to_the_other():
    theta = slowed(THETA, config())

    turns = LENGTH * THETA.numpy() / (2 * math.pi)
    right = np.array([by_hand(one, FACTOR, LOW, HIGH, LENGTH) for one in THETA.tolist()])
    mistakes = {
        "one turn is 2π: the turns are length · θ / 2π": mixed(np.clip(share(turns * 2 * math.pi), 0, 1)),
        "that is the wavelength, 2π / θ; what is asked is how often a pair turns": mixed(
            np.clip(share(2 * math.pi / THETA.numpy()), 0, 1)
        ),
        "the share s is not cut to [0, 1]": mixed(share(turns)),
        "the fast pairs are slowed and the slow ones stay": mixed(1 - np.clip(share(turns), 0, 1)),
        "all pairs are slowed": THETA.numpy() / FACTOR,
        "no pair is slowed": THETA.numpy(),
        "the slow pairs become faster: θ is divided by the factor": THETA.numpy()
        * ((1 - np.clip(share(turns), 0, 1)) * FACTOR + np.clip(share(turns), 0, 1)),
        "there is no line between the two kinds": np.where(turns > (LOW + HIGH) / 2, 1, 1 / FACTOR) * THETA.numpy(),
    }
    assert_matches(theta, right, "pair", name="the frequencies", mistakes=mistakes, rtol=1e-9)


@pytest.mark.parametrize("length", [1, 4])
def test_a_factor_of_1_changes_nothing(length):
    theta = slowed(THETA[:length], config(factor=1.0))

    assert_matches(theta, THETA[:length], "pair", name="the frequencies", dtype=torch.float64)
