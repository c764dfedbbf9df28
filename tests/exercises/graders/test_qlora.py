"""Grader: the product with a packed matrix, and its gradient."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from quant.product import LinearFromCodes
from quant.quantize import dequantize_4bit, quantize_4bit
from tests.exercises.graders import given

D_IN, D_OUT = 7, 5


@pytest.fixture
def weight():
    return quantize_4bit(given.normal(D_OUT, D_IN), block_size=16)


@pytest.fixture
def x():
    return given.normal(2, 3, D_IN).requires_grad_()


def product(x, bias, weight):
    return LinearFromCodes.apply(x, bias, weight, *weight.tensors().values())


def matrix(weight):
    return dequantize_4bit(weight, torch.float64)


@pytest.mark.parametrize("with_bias", [True, False])
def test_it_is_the_product_with_the_dequantized_matrix(weight, x, with_bias):
    bias = given.normal(D_OUT) if with_bias else None

    y = product(x, bias, weight)

    right = x.detach() @ matrix(weight).T + (0.0 if bias is None else bias)
    mistakes = {"the bias is missing": x.detach() @ matrix(weight).T} if with_bias else {}
    assert_matches(y, right, "batch time d_out", mistakes=mistakes)


def test_the_gradient_of_x_passes_through_the_frozen_matrix(weight, x):
    upstream = given.normal(2, 3, D_OUT)

    product(x, None, weight).backward(upstream)

    assert x.grad is not None, "gradient: no gradient reaches x: below a frozen layer an adapter could not learn"
    mistakes = {"the gradient is the upstream one of the wrong side: ∂L/∂y · Ŵ is wanted": np.zeros((2, 3, D_IN))}
    assert_matches(x.grad, upstream @ matrix(weight), "batch time d_in", name="the gradient of x", mistakes=mistakes)


def test_the_gradient_of_the_bias_is_the_sum_over_all_rows(weight, x):
    bias, upstream = given.normal(D_OUT).requires_grad_(), given.normal(2, 3, D_OUT)

    product(x, bias, weight).backward(upstream)

    assert bias.grad is not None, "gradient: no gradient reaches the bias"
    mistakes = {"it is the mean over the rows, where the sum is wanted": upstream.mean(dim=(0, 1))}
    assert_matches(bias.grad, upstream.sum(dim=(0, 1)), "d_out", name="the gradient of the bias", mistakes=mistakes)


def test_what_needs_no_gradient_costs_none(weight):
    x, bias = given.normal(4, D_IN), given.normal(D_OUT).requires_grad_()

    product(x, bias, weight).sum().backward()

    assert x.grad is None, "property: x asked for no gradient"
    assert_matches(bias.grad, np.full(D_OUT, 4.0), "d_out", name="the gradient of the bias")


def test_between_forward_and_backward_only_the_codes_are_kept(weight, x):
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: (kept.append(tensor), tensor)[1], lambda tensor: tensor
    ):
        y = product(x, None, weight)

    kept += [found for found in vars(y.grad_fn).values() if isinstance(found, torch.Tensor)]  # ctx.whole = ...
    large = [tuple(tensor.shape) for tensor in kept if tensor.is_floating_point() and tensor.numel() >= D_IN * D_OUT]
    assert not large, f"property: the dequantized matrix is not kept for the backward pass; kept is {large}"
