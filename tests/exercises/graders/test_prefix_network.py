"""Grader: the network behind a prefix."""

import numpy as np
import torch

from lessons.exercises.diagnosis import assert_matches
from peft.prefix_tuning import PrefixAttend, PrefixTrunk
from tests.exercises.graders import given
from tests.reference.prefix import network
from transformer.attention import Attend

PROMPT, D_MODEL, HIDDEN = 3, 4, 5


def trunk():
    return given.shaken(PrefixTrunk(PROMPT, D_MODEL, HIDDEN))


def layer():
    direct = given.normal(PROMPT, 2 * D_MODEL)
    made = PrefixAttend(Attend(), direct, trunk(), owner=True).double()
    with torch.no_grad():
        for parameter in made.last.parameters():
            parameter.copy_(given.normal(*parameter.shape))
    return made


def test_the_trunk_is_the_tangent_of_a_linear_layer_of_the_embedding():
    module = trunk()
    weights = given.arrays(module)
    linear = weights["embedding"] @ weights["hidden.weight"].T + weights["hidden.bias"]

    mistakes = {
        "the tanh is missing": linear,
        "the tanh falls on the embedding itself": torch.tensor(weights["embedding"]).tanh() @ module.hidden.weight.T
        + module.hidden.bias,
    }
    assert_matches(module(), np.tanh(linear), "prompt hidden", mistakes=mistakes)


def test_a_layers_keys_and_values_are_the_last_layer_on_the_trunk():
    made = layer()
    weights = given.arrays(made)
    names = ("trunk.embedding", "trunk.hidden.weight", "trunk.hidden.bias", "last.weight", "last.bias")

    rows = made.rows()

    assert_matches(rows, network(*(weights[name] for name in names)), "prompt two_d_model", name="[P_K, P_V]")


def test_without_a_network_they_are_the_prefix_itself():
    direct = given.normal(PROMPT, 2 * D_MODEL)

    rows = PrefixAttend(Attend(), direct).rows()

    assert rows is not None, "kind: rows returns nothing: is `return` missing?"
    assert_matches(rows, direct, "prompt two_d_model", name="[P_K, P_V]")


def test_gradients_reach_the_embedding_through_the_network():
    made = layer()

    made.rows().sum().backward()

    for name in ("trunk.embedding", "trunk.hidden.weight", "last.weight"):
        assert dict(made.named_parameters())[name].grad is not None, f"gradient: no gradient reaches {name}"
