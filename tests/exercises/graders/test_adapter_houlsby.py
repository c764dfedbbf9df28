"""Grader: Houlsby's adapter, the last thing before the residual."""

import torch

from lessons.exercises.diagnosis import assert_matches
from peft.bottleneck import Bottleneck, HoulsbyAdapter
from tests.exercises.graders import given
from tests.reference.adapters import houlsby

D_MODEL, M = 6, 4


def parts():
    adapter = HoulsbyAdapter(torch.nn.Dropout(0.0), given.shaken(Bottleneck(D_MODEL, M, "houlsby")))
    return adapter.eval(), given.normal(2, 3, D_MODEL)


def test_the_bottlenecks_output_is_added_to_what_it_read():
    adapter, h = parts()

    weights = given.arrays(adapter.adapter)
    right = houlsby(h.numpy(), weights)
    mistakes = {
        "the sub-layer's output is not added: the adapter has a residual of its own": right - h.numpy(),
        "the adapter is not used": h.numpy(),
        "the sub-layer's output is there twice": right + h.numpy(),
    }
    assert_matches(adapter(h), right, "batch time d_model", mistakes=mistakes)


def test_it_reads_what_dropout_has_left():
    adapter, h = parts()
    adapter.base.forward = torch.zeros_like

    right = adapter.adapter(torch.zeros_like(h)).detach()
    mistakes = {"the adapter reads what came before the dropout": adapter.adapter(h).detach()}
    assert_matches(
        adapter(h), right, "batch time d_model", name="the output when dropout removes everything", mistakes=mistakes
    )
