"""Grader: each token's expert is that of its type."""

import numpy as np
import pytest
import torch
from torch import nn

from lessons.exercises.diagnosis import assert_matches
from peft.pill_layers import GLUAdapter, RoutedFeedForward, TokenTypes
from tests.exercises.graders import given
from tests.reference.pill import routed
from transformer.feed_forward import FeedForward

D_MODEL, RANK, VOCAB = 6, 3, 9
TYPES = [0, 1, 2, 0, 1, 2, 0, 1, 2]
IDS = torch.tensor([[1, 0, 5, 3], [2, 2, 4, 6]])


def layer(is_last=False, reads="source"):
    experts = nn.ModuleList(given.shaken(GLUAdapter(D_MODEL, RANK)) for _ in range(3))
    made = RoutedFeedForward(given.shaken(FeedForward(D_MODEL, 8)), experts, TokenTypes(TYPES), reads, is_last)
    setattr(made.context, reads, IDS)
    return made.eval()


def expected(made, x, types):
    experts = [given.arrays(expert) for expert in made.experts]
    return made.base(torch.from_numpy(routed(x.numpy(), types, experts))).detach()


def test_the_feed_forward_reads_x_plus_what_the_tokens_own_expert_makes_of_it():
    made, x = layer(), given.normal(2, 4, D_MODEL)
    types = np.array(TYPES)[IDS]

    output = made(x)

    mistakes = {
        "the experts are not used": made.base(x),
        "every token goes to expert 0": expected(made, x, 0 * types),
        "the experts' change is added to the output; the feed forward has to read it": made.base(x)
        + torch.from_numpy(routed(x.numpy(), types, [given.arrays(e) for e in made.experts]))
        - x,
        "x itself is missing: the feed forward reads x + GLU(x)": made.base(
            torch.from_numpy(routed(x.numpy(), types, [given.arrays(e) for e in made.experts])) - x
        ),
    }
    assert_matches(output, expected(made, x, types), "batch time d_model", mistakes=mistakes)


def test_in_the_decoder_it_reads_the_targets_types():
    made, x = layer(reads="target"), given.normal(2, 4, D_MODEL)

    assert_matches(made(x), expected(made, x, np.array(TYPES)[IDS]), "batch time d_model")


@pytest.mark.parametrize(("is_last", "stage"), [(True, 1), (True, 2), (False, 1)])
def test_in_stage_1_known_and_new_change_places_in_the_last_layer_alone(is_last, stage):
    made, x = layer(is_last), given.normal(2, 4, D_MODEL)
    made.stage = stage
    types = np.array(TYPES)[IDS]
    swapped = (types == 0).astype(int)

    output = made(x)

    wanted, other = (swapped, types) if is_last and stage == 1 else (types, swapped)
    mistakes = {
        "known and new have changed places where they must not, or have not where they must": expected(made, x, other)
    }
    assert_matches(output, expected(made, x, wanted), "batch time d_model", mistakes=mistakes)


def test_rows_that_beams_repeat_keep_their_types():
    made, x = layer(), given.normal(4, 4, D_MODEL)

    types = np.array(TYPES)[IDS].repeat(2, axis=0)
    assert_matches(made(x), expected(made, x, types), "batch time d_model", name="the output under two beams")
