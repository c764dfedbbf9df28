"""Grader: the values of new tokens count as much as a gate says."""

import numpy as np
import torch

from lessons.exercises.diagnosis import assert_matches
from peft.pill_layers import GatedValues, TokenTypes, ValueGate
from tests.exercises.graders import given
from tests.reference.pill import gated

D_MODEL, HEADS = 6, 3
TYPES = [0, 1, 0, 2]
IDS = torch.tensor([[1, 0, 3, 2], [2, 3, 1, 0]])


def parts():
    made = GatedValues(given.base(D_MODEL, D_MODEL), ValueGate(D_MODEL, HEADS).double(), TokenTypes(TYPES))
    made.value_gate.weight.data.normal_()
    made.context.source = IDS
    return made.eval(), given.normal(2, 4, D_MODEL)


def expected(made, x, types, activation=np.tanh):
    values, gate = made.base(x).detach().numpy(), made.value_gate.weight.detach().numpy()
    if activation is np.tanh:
        return gated(values, x.numpy(), types, gate)
    strength = activation(x.numpy() @ gate.T).repeat(D_MODEL // HEADS, axis=-1)
    return np.where(types[..., None] > 0, strength * values, values)


def test_the_values_of_new_tokens_are_multiplied_by_the_tangent_of_the_gate_head_by_head():
    made, x = parts()
    types = np.array(TYPES)[IDS]

    output = made(x)

    in_turns = (x @ made.value_gate.weight.T).tanh().detach().numpy()[..., np.arange(D_MODEL) % HEADS] * made.base(
        x
    ).detach().numpy()
    mistakes = {
        "the gate is not used": made.base(x),
        "known tokens are gated, and new ones are not": expected(made, x, (types == 0).astype(int)),
        "every token is gated": expected(made, x, types * 0 + 1),
        "the tanh is missing": expected(made, x, types, activation=lambda z: z),
        "a sigmoid stands where tanh is wanted": expected(made, x, types, activation=lambda z: 1 / (1 + np.exp(-z))),
        "a head's factor goes to every third feature, where it goes to a block": np.where(
            types[..., None] > 0, in_turns, made.base(x).detach().numpy()
        ),
    }
    assert_matches(output, expected(made, x, types), "batch time d_model", mistakes=mistakes)


def test_in_stage_1_there_is_no_gate():
    made, x = parts()
    made.stage = 1

    assert_matches(made(x), made.base(x), "batch time d_model", name="the values in stage 1")


def test_gradients_reach_the_gate():
    made, x = parts()

    made(x).sum().backward()

    assert made.value_gate.weight.grad is not None, "gradient: no gradient reaches the gate"
