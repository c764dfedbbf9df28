"""Grader: the scales in eight bits."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from quant.double_quant import DYNAMIC_MAP, CompressedScales, compress_scales
from tests.reference.quantization import double_quantize


def compressed(scales):
    kept = compress_scales(scales)
    assert kept is not None, "kind: compress_scales returns nothing: is `return` missing?"
    return kept


def between_levels(scales, limits):
    """The scales after codes that these limits part."""
    mean = scales.mean()
    groups = torch.nn.functional.pad(scales - mean, (0, -len(scales) % 256)).view(-1, 256)
    largest = groups.abs().amax(dim=1, keepdim=True)
    back = DYNAMIC_MAP[torch.bucketize(groups / largest, limits.contiguous())] * largest + mean
    return back.flatten()[: len(scales)].clamp(min=0)


def nearest_in(groups, mean, count):
    """The scales after 8 bits, of groups of deviations."""
    largest = groups.abs().amax(dim=1, keepdim=True)
    nearest = (groups[..., None] / largest[..., None] - DYNAMIC_MAP).abs().argmin(dim=-1)
    return (DYNAMIC_MAP[nearest] * largest + mean).flatten()[:count].clamp(min=0)


def test_the_mean_is_taken_off_first():
    scales = torch.rand(300) + 2.0

    kept = compressed(scales)

    assert_matches(kept.mean, scales.double().mean(), name="the mean", rtol=1e-4)


def test_each_group_of_256_has_its_own_largest_deviation():
    scales = torch.cat([torch.rand(256), 5.0 * torch.rand(100)])

    kept = compressed(scales)

    away = (scales - scales.mean()).abs()
    mistakes = {"the mean is not taken off": torch.stack([scales[:256].max(), scales[256:].max()])}
    wanted = torch.stack([away[:256].max(), away[256:].max()])
    assert_matches(kept.absmax, wanted, "groups", name="the largest deviations", mistakes=mistakes, rtol=1e-4)


@pytest.mark.parametrize("count", [3, 256, 400])
def test_the_scales_come_back_as_the_nearest_of_256_levels(count):
    scales = torch.rand(count) + 0.2

    kept = compressed(scales)

    assert kept.codes.shape == (count,), f"shape: one byte for each scale, ({count},), not {tuple(kept.codes.shape)}"
    assert kept.codes.dtype == torch.uint8, f"dtype: a code is one byte, torch.uint8, not {kept.codes.dtype}"
    wanted = double_quantize([float(scale) for scale in scales])
    away, filling = scales - scales.mean(), -count % 256
    filled = torch.nn.functional.pad(scales, (0, filling)).view(-1, 256) - scales.mean()
    mistakes = {
        "the mean is taken off the zeros that fill up the last group too: take it off, and cut into groups then": (
            nearest_in(filled, scales.mean(), count)
        ),
        "the mean is not taken off": nearest_in(torch.nn.functional.pad(scales, (0, filling)).view(-1, 256), 0, count),
        "all groups share one largest deviation, where each has its own": nearest_in(
            torch.nn.functional.pad(away, (0, filling)).view(1, -1), scales.mean(), count
        ),
        "the levels are taken as limits: the code is the nearest level, and the limits are the middles between levels": (
            between_levels(scales, DYNAMIC_MAP[1:])
        ),
        "a scale is always rounded up, where the nearest level is wanted": between_levels(scales, DYNAMIC_MAP[:-1]),
    }
    assert_matches(
        kept.expand(), wanted, "blocks", name="the scales after 8 bits", mistakes=mistakes, rtol=1e-3, atol=1e-5
    )


def with_epsilon(scales, epsilon):
    away = scales - scales.mean()
    levels = DYNAMIC_MAP[(away[:, None] / (away.abs().max() + epsilon) - DYNAMIC_MAP).abs().argmin(dim=1)]
    return (levels * away.abs().max() + scales.mean()).clamp(min=0)


def test_tiny_scales_come_back_as_well_as_large_ones():
    scales = 1e-4 * torch.rand(100)

    kept = compressed(scales)

    mistakes = {
        f"{epsilon} is added to the largest deviation, which is as small here: a deviation of 0 is a case of its own": (
            with_epsilon(scales, epsilon)
        )
        for epsilon in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
    }
    wanted = double_quantize([float(scale) for scale in scales])
    name = "the scales after 8 bits"
    assert_matches(kept.expand(), wanted, "blocks", name=name, mistakes=mistakes, rtol=1e-3, atol=1e-9)


def test_equal_scales_are_exact():
    kept = compressed(torch.full((5,), 0.25))

    assert_matches(kept.expand(), np.full(5, 0.25), "blocks", name="the scales after 8 bits")


def test_no_scale_comes_back_negative():
    kept = CompressedScales(torch.tensor([0, 255], dtype=torch.uint8), torch.tensor([0.1, 1.0]))

    scales = kept.expand()

    assert float(scales.min()) >= 0.0, f"property: a negative scale turns its block's signs around; {scales.tolist()}"
    mistakes = {"the mean is not added": torch.tensor([0.0, 1.0]), "the mean is subtracted": torch.tensor([0.0, 0.9])}
    assert_matches(scales, [0.0, 1.1], "blocks", name="the scales", mistakes=mistakes)


def test_a_tie_between_two_levels_goes_to_the_lower_one():
    levels = DYNAMIC_MAP
    middle = float((levels[200] + levels[201]) / 2)
    scales = torch.tensor([1.0, -1.0, middle, -middle])

    kept = compressed(scales)

    assert int(kept.codes[2]) == 200, (
        f"value: halfway between level 200 and 201 the code is 200, not {int(kept.codes[2])}"
    )
