"""Grader: Pfeiffer's adapter, which reads the norm of the residual sum."""

import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from peft.bottleneck import Bottleneck, PfeifferAdapter
from tests.exercises.graders import given
from tests.reference.adapters import pfeiffer_post_norm, pfeiffer_pre_norm
from transformer.add_norm import AddNorm

D_MODEL, M = 6, 4


def parts(order):
    base = given.shaken(AddNorm(D_MODEL, norm=order))
    adapter = PfeifferAdapter(base, given.shaken(Bottleneck(D_MODEL, M, "pfeiffer"))).eval()
    return adapter, given.shaken(torch.nn.Linear(D_MODEL, D_MODEL)), given.normal(2, 3, D_MODEL)


def test_post_norm_the_adapter_reads_the_norm_and_the_norm_comes_again():
    adapter, sublayer, x = parts("post")
    norm, weights = adapter.base.norm, given.arrays(adapter.adapter)

    output = adapter(x, sublayer)

    gain, bias = given.arrays(norm).values()
    right = pfeiffer_post_norm(x.numpy(), sublayer(x).detach().numpy(), gain, bias, weights)
    f = sublayer(x)
    mistakes = {
        "the adapter is not used": norm(x + f),
        "the adapter reads the feed forward's output, not the norm of the residual sum": norm(
            x + f + adapter.adapter(f)
        ),
        "the second norm is missing": x + f + adapter.adapter(norm(x + f)),
        "the adapter reads the sum without its norm": norm(x + f + adapter.adapter(x + f)),
        "the residual is missing": norm(f + adapter.adapter(norm(x + f))),
        "the adapter stands behind the whole of Add & Norm": norm(x + f) + adapter.adapter(norm(x + f)),
    }
    assert_matches(output, right, "batch time d_model", mistakes=mistakes)


def test_pre_norm_the_adapter_reads_the_feed_forwards_output():
    adapter, sublayer, x = parts("pre")
    norm, weights = adapter.base.norm, given.arrays(adapter.adapter)

    output = adapter(x, sublayer)

    f = sublayer(norm(x))
    right = pfeiffer_pre_norm(x.numpy(), f.detach().numpy(), weights)
    mistakes = {
        "the sub-layer reads x, where pre-norm gives it the norm of x": x + sublayer(x) + adapter.adapter(sublayer(x)),
        "the adapter is not used": x + f,
        "the residual is missing": f + adapter.adapter(f),
        "the feed forward's output is not added": x + adapter.adapter(f),
    }
    assert_matches(output, right, "batch time d_model", mistakes=mistakes)


@pytest.mark.parametrize("order", ["post", "pre"])
def test_dropout_falls_on_the_sublayers_output(order):
    adapter, sublayer, x = parts(order)
    adapter.base.dropout.forward = torch.zeros_like
    zero, norm = torch.zeros_like(x), adapter.base.norm

    output = adapter(x, sublayer)

    right = x + adapter.adapter(zero) if order == "pre" else norm(x + adapter.adapter(norm(x)))
    assert_matches(output, right, "batch time d_model", name="the output when dropout removes everything")
