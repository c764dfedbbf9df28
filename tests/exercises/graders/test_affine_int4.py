"""Grader: sixteen evenly spaced levels between the smallest and the largest weight of each block."""

import math

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches, assert_refused
from quant.affine import dequantize_affine, quantize_affine
from tests.reference.quantization import affine


def restored(weight, block_size):
    quantized = quantize_affine(weight, block_size)
    assert quantized is not None, "kind: quantize_affine returns nothing: is `return` missing?"
    return quantized, dequantize_affine(quantized)


def nearest_below(position):
    """The tie goes to the lower code."""
    return math.ceil(position - 0.5)


def with_steps(weight, block_size, steps, rounded=nearest_below):
    """The result when a block is cut into another number of steps, or a position is rounded otherwise."""
    line = weight.reshape(-1).numpy().astype(np.float64)
    out = []
    for start in range(0, len(line), block_size):
        block = line[start : start + block_size]
        low, step = block.min(), (block.max() - block.min()) / steps
        out += [low + step * (min(15, rounded((w - low) / step)) if step else 0) for w in block]
    return np.array(out).reshape(weight.shape)


@pytest.mark.parametrize(("shape", "block_size"), [((4, 32), 64), ((7, 10), 16), ((5,), 16)])
def test_it_gives_back_the_nearest_of_sixteen_equal_steps(shape, block_size):
    weight = torch.randn(shape) + 5.0

    _, result = restored(weight, block_size)

    right = affine(weight.numpy(), block_size).reshape(shape)
    mistakes = {
        "sixteen levels have fifteen steps between them": with_steps(weight, block_size, 16),
        "the minimum is not added again": right - weight.min().item(),
        "a position is always rounded down, where the nearest code is wanted": with_steps(
            weight, block_size, 15, math.floor
        ),
        "a position is always rounded up, where the nearest code is wanted": with_steps(
            weight, block_size, 15, math.ceil
        ),
        "all blocks share one minimum and one step, where each has its own": with_steps(weight, weight.numel(), 15),
        "the levels lie about 0, from -max|w| on, where they begin at the smallest weight": about_zero(
            weight, block_size, lambda block: -np.abs(block).max()
        ),
        "the levels begin at 0, where they begin at the smallest weight": about_zero(
            weight, block_size, lambda block: 0.0
        ),
    }
    axes = "d_out d_in" if weight.dim() == 2 else "weight"
    assert_matches(result, right, axes, name="the weights after 4 bits", mistakes=mistakes, rtol=1e-4, atol=1e-6)


def about_zero(weight, block_size, low):
    """The result when each block's levels begin at `low` of its weights, and end at its largest |w|."""
    line = weight.reshape(-1).numpy().astype(np.float64)
    out = []
    for start in range(0, len(line), block_size):
        block = line[start : start + block_size]
        first, step = low(block), (np.abs(block).max() - low(block)) / 15
        out += [first + step * min(15, max(0, nearest_below((w - first) / step))) for w in block]
    return np.array(out).reshape(weight.shape)


def test_the_smallest_and_the_largest_weight_of_a_block_are_exact():
    weight = torch.randn(2, 64)

    _, result = restored(weight, 64)

    for row in range(2):
        for name, which in (("smallest", weight[row].argmin()), ("largest", weight[row].argmax())):
            came, right = float(result[row, which]), float(weight[row, which])
            assert came == pytest.approx(right, rel=1e-5), f"property: the {name} weight {right:.5f} became {came:.5f}"


def test_each_block_has_a_minimum_and_a_step():
    weight = torch.tensor([[0.0, 1.5, 3.0, 0.75] * 4, [-1.0, 0.0, 14.0, 2.0] * 4])

    quantized, _ = restored(weight, 16)

    assert_matches(quantized.minimums, [0.0, -1.0], "blocks", name="the minimums")
    mistakes = {"that is the width of the block; it is cut into 15 steps": torch.tensor([3.0, 15.0])}
    assert_matches(quantized.steps, [0.2, 1.0], "blocks", name="the steps", mistakes=mistakes)


def test_what_fills_up_the_last_block_changes_neither_its_minimum_nor_its_step():
    weight = torch.cat([torch.arange(16.0), torch.tensor([9.0, 5.0, 8.0, 5.5])])

    quantized, _ = restored(weight, 16)

    sentence = "zeros, or weights of another block, fill up the last block: its own last weight changes no minimum"
    mistakes = {sentence: [0.0, 0.0]}
    assert_matches(quantized.minimums, [0.0, 5.0], "blocks", name="the minimums", mistakes=mistakes)
    assert_matches(quantized.steps, [1.0, 4 / 15], "blocks", name="the steps", rtol=1e-5)


def test_a_block_of_equal_weights_is_exact():
    _, result = restored(torch.full((16,), 0.7), 16)

    assert_matches(result, np.full(16, 0.7), "weight", name="the weights", atol=1e-6)


def test_a_tie_is_rounded_down():
    weight = torch.tensor([0.0, 15.0, 0.5, 1.5, 2.5, 14.5] + [0.0] * 10)

    _, result = restored(weight, 16)

    mistakes = {
        "ties go to even numbers: torch.round does that": [0.0, 15.0, 0.0, 2.0, 2.0, 14.0] + [0.0] * 10,
        "ties go up, where they go down": [0.0, 15.0, 1.0, 2.0, 3.0, 15.0] + [0.0] * 10,
    }
    assert_matches(
        result, [0.0, 15.0, 0.0, 1.0, 2.0, 14.0] + [0.0] * 10, "weight", name="the weights", mistakes=mistakes
    )


def test_it_keeps_shape_and_type():
    quantized, result = restored(torch.randn(3, 5).half(), 16)

    assert result.shape == (3, 5), f"shape: (3, 5) came in, {tuple(result.shape)} goes out"
    assert result.dtype == torch.float16, f"dtype: float16 came in, {result.dtype} goes out"
    assert quantized.codes.numel() == 8, f"property: 15 codes fill 8 bytes, not {quantized.codes.numel()}"


def test_what_is_not_finite_is_refused():
    assert_refused(quantize_affine, torch.tensor([1.0, float("nan")]))
