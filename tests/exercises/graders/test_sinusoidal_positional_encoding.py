"""Grader: the paper's position waves."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from tests.reference.positions import sinusoidal_positions
from transformer.embedding import sinusoidal_positional_encoding

LENGTH = 9


def waves(angle):
    return np.where(np.arange(angle.shape[1]) % 2 == 0, np.sin(angle), np.cos(angle))


def mistakes(d_model):
    right = sinusoidal_positions(LENGTH, d_model)
    time, feature = np.arange(LENGTH)[:, None], np.arange(d_model)
    by_feature = time / 10000 ** (feature / d_model)
    multiplied = time * 10000.0 ** (2 * (feature // 2) / d_model)
    blocks = np.concatenate([right[:, 0::2], right[:, 1::2]], axis=1)
    swapped = np.where(feature % 2 == 0, np.cos(time / 10000 ** (2 * (feature // 2) / d_model)), 0)
    swapped = np.where(feature % 2 == 1, np.sin(time / 10000 ** (2 * (feature // 2) / d_model)), swapped)
    return {
        "sine and cosine have changed places": swapped,
        "sines and cosines stand in two blocks, where they take turns": blocks,
        "sine and cosine of a pair have two frequencies: the exponent is 2i / d_model for both": np.where(
            feature % 2 == 0, np.sin(by_feature), np.cos(by_feature)
        ),
        "the exponent is doubled: it is 2i / d_model, and 2i is the feature's own even number": waves(
            time / 10000 ** (4 * (feature // 2) / d_model)
        ),
        "the exponent is halved: it is 2i / d_model, not i / d_model": waves(
            time / 10000 ** ((feature // 2) / d_model)
        ),
        "the base is another one: the wavelengths go up to 10000 · 2π": waves(
            time / 1000 ** (2 * (feature // 2) / d_model)
        ),
        "the position is multiplied by 10000^(2i / d_model), where it is divided": np.where(
            feature % 2 == 0, np.sin(multiplied), np.cos(multiplied)
        ),
    }


@pytest.mark.parametrize("d_model", [6, 10])
def test_sines_and_cosines_take_turns_from_fast_to_slow(d_model):
    encoding = sinusoidal_positional_encoding(LENGTH, d_model, torch.float64)

    assert_matches(encoding, sinusoidal_positions(LENGTH, d_model), "position feature", mistakes=mistakes(d_model))


@pytest.mark.parametrize("d_model", [1, 7])
def test_an_odd_d_model_ends_with_a_sine(d_model):
    encoding = sinusoidal_positional_encoding(LENGTH, d_model, torch.float64)

    assert_matches(encoding, sinusoidal_positions(LENGTH, d_model), "position feature", mistakes=mistakes(d_model))


@pytest.mark.parametrize(("asked", "given"), [(None, torch.float32), (torch.float16, torch.float16)])
def test_it_comes_in_the_type_that_was_asked_for(asked, given):
    encoding = sinusoidal_positional_encoding(3, 4, asked)

    assert_matches(encoding, sinusoidal_positions(3, 4), "position feature", dtype=given, rtol=1e-3, atol=1e-3)


def in_32_bits(length, d_model, exponent, angle=np.float64):
    """The waves of an exponent, and of an angle, that are rounded."""
    divisor = exponent(10000) ** (2 * (np.arange(d_model) // 2) / d_model).astype(exponent)
    return waves((np.arange(length, dtype=angle)[:, None] / divisor.astype(angle)).astype(angle))


def test_far_positions_are_exact():
    length, d_model = 5001, 6

    encoding = sinusoidal_positional_encoding(length, d_model)

    rounded = "is rounded to 32 bits, and far positions are off: compute in float64, and give `dtype` at the end"
    mistakes = {
        f"the exponent {rounded}": in_32_bits(length, d_model, np.float32),
        f"the angle {rounded}": in_32_bits(length, d_model, np.float64, np.float32),
        f"everything {rounded}": in_32_bits(length, d_model, np.float32, np.float32),
    }
    right = sinusoidal_positions(length, d_model)
    assert_matches(encoding, right, "position feature", mistakes=mistakes, rtol=0, atol=1e-6)
