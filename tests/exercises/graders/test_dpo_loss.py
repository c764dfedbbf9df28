"""Grader: preferences straight into the policy."""

import math

import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from rlhf.dpo_loss import dpo_loss
from tests.exercises.graders import given
from tests.reference.rlhf import dpo_loss as reference

BATCH, BETA, EPSILON = 4, 0.3, 0.2
NAMES = ("policy_chosen", "policy_rejected", "reference_chosen", "reference_rejected")


@pytest.fixture
def log_probs():
    return {name: -3.0 - given.normal(BATCH).abs() for name in NAMES}


def expected(log_probs, beta=BETA, smoothing=0.0, order=(0, 1, 2, 3)):
    arrays = [value.numpy() for value in log_probs.values()]
    return reference(*(arrays[index] for index in order), beta, smoothing)


def test_it_is_the_loss_of_the_margin_between_the_two_log_ratios(log_probs):
    loss = dpo_loss(**log_probs, beta=BETA)

    policy = log_probs["policy_chosen"] - log_probs["policy_rejected"]
    chosen_ratio = (log_probs["policy_chosen"] - log_probs["reference_chosen"]).exp()
    rejected_ratio = (log_probs["policy_rejected"] - log_probs["reference_rejected"]).exp()
    mistakes = {
        "the reference is not used": -torch.nn.functional.logsigmoid(BETA * policy).mean(),
        "chosen and rejected have changed places": expected(log_probs, order=(1, 0, 3, 2)),
        "policy and reference have changed places": expected(log_probs, order=(2, 3, 0, 1)),
        "β is not used": expected(log_probs, beta=1.0),
        "β stands outside of log σ, where it belongs inside: log σ(β h)": BETA * expected(log_probs, beta=1.0),
        "β divides, where it multiplies": expected(log_probs, beta=1 / BETA),
        "the sum is taken, where the mean is wanted": expected(log_probs) * BATCH,
        "the reference's margin is added, where it is subtracted": expected(
            {k: -v if k.startswith("reference") else v for k, v in log_probs.items()}
        ),
        "the ratios are compared, where their logarithms are": -torch.nn.functional.logsigmoid(
            BETA * (chosen_ratio - rejected_ratio)
        ).mean(),
    }
    assert_matches(loss, expected(log_probs), name="the loss", mistakes=mistakes, scales={"β": BETA, "batch": BATCH})


def test_when_policy_and_reference_agree_it_is_ln_2(log_probs):
    chosen, rejected = log_probs["policy_chosen"], log_probs["policy_rejected"]

    assert_matches(
        dpo_loss(chosen, rejected, chosen, rejected), math.log(2), name="the loss of a policy that has not moved"
    )


def test_label_smoothing_reckons_with_labels_that_are_wrong(log_probs):
    loss = dpo_loss(**log_probs, beta=BETA, label_smoothing=EPSILON)

    right = expected(log_probs, smoothing=EPSILON)
    mistakes = {
        "the label smoothing is not used": expected(log_probs),
        "ε and 1 - ε have changed places": expected(log_probs, smoothing=1 - EPSILON),
        "the swapped pair is missing: -ε log σ(-h)": (1 - EPSILON) * expected(log_probs),
    }
    assert_matches(loss, right, name="the loss", mistakes=mistakes)


def test_the_usual_beta_is_a_tenth(log_probs):
    assert_matches(dpo_loss(**log_probs), expected(log_probs, beta=0.1), name="the loss without a given β")


def test_gradients_reach_the_policy(log_probs):
    assert_gradients_flow(lambda **x: dpo_loss(**x, beta=BETA, label_smoothing=EPSILON), name="the loss", **log_probs)
