"""k1, k2, k3 by counting all outcomes, and the controllers of the price."""

from inspect import unwrap

import numpy as np
import pytest
import torch

from rlhf import AdaptiveKLController, FixedKLController, kl_estimate
from tests.reference.rlhf import kl, slope, softmax

LOGITS, REFERENCE = np.array([0.3, -0.2, 0.5]), softmax(np.array([0.1, 0.2, 0.4]))


def estimates(kind: str) -> np.ndarray:
    log_probs, reference = torch.tensor(np.log(softmax(LOGITS))), torch.tensor(np.log(REFERENCE))
    return kl_estimate(log_probs, reference, kind).numpy()


def gradient_as_loss(kind: str) -> np.ndarray:
    """The mean gradient of the estimate, taken as a loss on samples that are held fixed."""
    logits = torch.tensor(LOGITS, requires_grad=True)
    samples = torch.tensor(softmax(LOGITS))
    (samples * kl_estimate(logits.log_softmax(0), torch.tensor(np.log(REFERENCE)), kind)).sum().backward()
    return logits.grad.numpy()


@pytest.mark.parametrize("kind", ["k1", "k3"])
def test_k1_and_k3_are_the_divergence_in_the_mean(kind):
    assert softmax(LOGITS) @ estimates(kind) == pytest.approx(kl(softmax(LOGITS), REFERENCE), rel=1e-12)


def test_k2_is_near_the_divergence_and_not_equal():
    mean, exact = softmax(LOGITS) @ estimates("k2"), kl(softmax(LOGITS), REFERENCE)

    assert mean == pytest.approx(exact, rel=0.1)
    assert abs(mean - exact) > 1e-6


def test_only_k1_is_ever_negative():
    assert estimates("k1").min() < 0.0
    assert estimates("k2").min() >= 0.0
    assert estimates("k3").min() >= 0.0


def test_k1_as_a_loss_pulls_nowhere():
    np.testing.assert_allclose(gradient_as_loss("k1"), 0.0, atol=1e-12)


def test_k2_as_a_loss_pulls_along_the_reverse_divergence():
    wanted = slope(lambda logits: kl(softmax(logits), REFERENCE), LOGITS)

    np.testing.assert_allclose(gradient_as_loss("k2"), wanted, atol=1e-9)


def test_k3_as_a_loss_pulls_along_the_forward_divergence():
    wanted = slope(lambda logits: kl(REFERENCE, softmax(logits)), LOGITS)

    np.testing.assert_allclose(gradient_as_loss("k3"), wanted, atol=1e-9)


def test_k3_keeps_its_digits_where_the_policies_nearly_agree():
    log_ratio = 1e-4

    found = kl_estimate(torch.zeros(1), torch.full((1,), log_ratio), "k3").item()

    assert found == pytest.approx(log_ratio**2 / 2, rel=1e-2)


def test_an_estimate_keeps_the_shape():
    assert kl_estimate(torch.zeros(2, 3, 5), torch.zeros(2, 3, 5), "k2").shape == (2, 3, 5)


def test_an_unknown_estimator_is_refused():
    with pytest.raises(ValueError, match="k1, k2, k3, not 'k4'"):
        unwrap(kl_estimate)(torch.zeros(1), torch.zeros(1), "k4")


def test_a_fixed_price_stays():
    controller = FixedKLController(0.2)

    controller.update(kl=100.0, steps=64)

    assert controller.beta == 0.2


@pytest.mark.parametrize(("kl", "steps"), [(float("nan"), 8), (float("inf"), 8), (1.0, 0), (1.0, 50_000)])
def test_the_controller_refuses_what_would_spoil_the_price(kl, steps):
    controller = AdaptiveKLController(0.15, target=6.0, horizon=10_000)

    with pytest.raises(ValueError):
        controller.update(kl, steps)

    assert controller.beta == 0.15


@pytest.mark.parametrize("beta", [-0.1, float("nan"), float("inf")])
def test_a_price_is_finite_and_not_negative(beta):
    with pytest.raises(ValueError, match="beta"):
        FixedKLController(beta)


@pytest.mark.parametrize(("target", "horizon"), [(0.0, 10), (-1.0, 10), (float("nan"), 10), (6.0, 0)])
def test_a_target_is_positive_and_a_horizon_1_at_least(target, horizon):
    with pytest.raises(ValueError, match="must be positive and horizon"):
        AdaptiveKLController(0.15, target, horizon)


def test_a_price_that_is_multiplied_does_not_start_at_0():
    with pytest.raises(ValueError, match=r"beta 0\.0 is multiplied and would stay as it is"):
        AdaptiveKLController(0.0, target=6.0, horizon=10)


def test_the_shortest_horizon_and_a_single_response_will_do():
    controller = AdaptiveKLController(0.1, target=6.0, horizon=1)

    controller.update(kl=60.0, steps=1)

    assert controller.beta == pytest.approx(0.12)
