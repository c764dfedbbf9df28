"""Grader: the residual connection, in both orders."""

import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from tests.exercises.graders import given
from transformer.add_norm import AddNorm

BATCH, TIME, D_MODEL = 2, 3, 5


def parts(order):
    block, sublayer = given.shaken(AddNorm(D_MODEL, norm=order)), given.shaken(torch.nn.Linear(D_MODEL, D_MODEL))
    return block, block.norm, sublayer, given.normal(BATCH, TIME, D_MODEL)


def test_post_norm_normalizes_the_sum_of_input_and_sublayer():
    block, norm, sublayer, x = parts("post")

    output = block(x, sublayer)

    mistakes = {
        "the residual is missing: x is not added": norm(sublayer(x)),
        "the norm comes before the sum: x + Norm(sublayer(x))": x + norm(sublayer(x)),
        "that is pre-norm: the order is not looked at": x + sublayer(norm(x)),
        "the norm is missing": x + sublayer(x),
        "the residual is added once more after the norm": x + norm(x + sublayer(x)),
    }
    assert_matches(output, norm(x + sublayer(x)), "batch time d_model", mistakes=mistakes)


def test_pre_norm_normalizes_what_the_sublayer_reads():
    block, norm, sublayer, x = parts("pre")

    output = block(x, sublayer)

    mistakes = {
        "the residual is taken after the norm: Norm(x) + sublayer(Norm(x))": norm(x) + sublayer(norm(x)),
        "that is post-norm: the order is not looked at": norm(x + sublayer(x)),
        "the residual is missing: x is not added": sublayer(norm(x)),
        "the norm is missing": x + sublayer(x),
    }
    assert_matches(output, x + sublayer(norm(x)), "batch time d_model", mistakes=mistakes)


@pytest.mark.parametrize("order", ["post", "pre"])
def test_dropout_falls_on_the_sublayers_output_and_never_on_the_residual(order):
    block, norm, sublayer, x = parts(order)
    block.dropout = torch.nn.Module()
    block.dropout.forward = torch.zeros_like

    output = block(x, sublayer)

    only_residual = norm(x) if order == "post" else x
    without = norm(x + sublayer(x)) if order == "post" else x + sublayer(norm(x))
    mistakes = {
        "dropout is missing": without,
        "dropout falls on the residual too": norm(0 * x) if order == "post" else 0 * x,
    }
    assert_matches(
        output,
        only_residual,
        "batch time d_model",
        name="the output when dropout removes everything",
        mistakes=mistakes,
    )
