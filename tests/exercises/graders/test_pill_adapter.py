"""Grader: PILL's gated linear adapter."""

import numpy as np

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from peft.pill_layers import GLUAdapter
from tests.exercises.graders import given
from tests.reference.encoder_decoder import silu
from tests.reference.pill import glu

D_MODEL, RANK = 6, 4


def adapter_and_input():
    return given.shaken(GLUAdapter(D_MODEL, RANK)), given.normal(2, 3, D_MODEL)


def test_one_narrow_vector_weights_the_other_before_it_is_widened():
    adapter, x = adapter_and_input()
    weights = given.arrays(adapter)

    right = np.array([[glu(token, weights) for token in row] for row in x.numpy()])
    gate, down, up = (weights[f"{name}.weight"] for name in ("gate", "down", "up"))
    g, d = x.numpy() @ gate.T, x.numpy() @ down.T
    mistakes = {
        "silu is missing on the gate": (g * d) @ up.T,
        "silu falls on the wrong one: it belongs to the gate": (g * silu(d)) @ up.T,
        "gate and down are added, where they are multiplied": (silu(g) + d) @ up.T,
        "the gate alone is widened": silu(g) @ up.T,
        "a sigmoid stands where silu is wanted": (d / (1 + np.exp(-g))) @ up.T,
        "the input is added; that is the business of the layer around it": x.numpy() + right,
    }
    assert_matches(adapter(x), right, "batch time d_model", mistakes=mistakes)


def test_gradients_reach_the_input():
    adapter, x = adapter_and_input()

    assert_gradients_flow(adapter, x=x)
