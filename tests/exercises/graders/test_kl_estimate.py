"""Grader: how far has the policy moved?"""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches, assert_refused
from rlhf.kl import kl_estimate
from tests.exercises.graders import given

SHAPE = (3, 4)


@pytest.fixture
def log_probs():
    return -given.normal(*SHAPE).abs(), -given.normal(*SHAPE).abs()


def wanted(policy, reference, kind):
    log_ratio = (reference - policy).numpy()
    return {"k1": -log_ratio, "k2": log_ratio**2 / 2, "k3": np.exp(log_ratio) - 1 - log_ratio}[kind]


@pytest.mark.parametrize("kind", ["k1", "k2", "k3"])
def test_each_kind_is_its_formula_token_by_token(log_probs, kind):
    policy, reference = log_probs

    result = kl_estimate(policy, reference, kind)

    right = wanted(policy, reference, kind)
    mistakes = {
        "policy and reference have changed places": wanted(reference, policy, kind),
        "the ½ is missing": 2 * right,
        "that is k1": wanted(policy, reference, "k1"),
        "the -log r is missing": right + (reference - policy).numpy(),
        "the - 1 is missing": right + 1.0,
    }
    assert_matches(
        result, right, "batch time", mistakes={k: v for k, v in mistakes.items() if not np.allclose(v, right)}
    )


@pytest.mark.parametrize(("kind", "sign"), [("k2", "never negative"), ("k3", "never negative")])
def test_k2_and_k3_are_never_negative(log_probs, kind, sign):
    result = kl_estimate(*log_probs, kind)

    assert bool((result >= 0).all()), f"property: {kind} is {sign}; here the smallest is {float(result.min()):.4f}"


@pytest.mark.parametrize("kind", ["k1", "k2", "k3"])
def test_a_policy_that_has_not_moved_has_an_estimate_of_0(kind):
    log_probs = -given.normal(*SHAPE).abs()

    assert_matches(kl_estimate(log_probs, log_probs, kind), np.zeros(SHAPE), "batch time")


def test_k3_is_exact_for_ratios_near_1():
    policy, reference = torch.zeros(1), torch.full((1,), 1e-4)

    result = kl_estimate(policy, reference, "k3")

    assert_matches(result, [5.0002e-9], "token", name="k3 of a ratio near 1 (use expm1)", rtol=0.02, atol=0.0)


def test_gradients_reach_the_policy(log_probs):
    policy, reference = log_probs

    for kind in ("k1", "k2", "k3"):
        assert_gradients_flow(
            lambda policy, reference, kind=kind: kl_estimate(policy, reference, kind),
            name=kind,
            policy=policy,
            reference=reference,
        )


def test_an_unknown_kind_is_refused():
    assert_refused(kl_estimate, torch.zeros(1), torch.zeros(1), "k4", kinds=(ValueError, TypeError))
