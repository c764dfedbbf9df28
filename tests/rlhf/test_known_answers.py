"""The numbers that every implementation must give: worked out by hand or published."""

import math

import pytest
import torch

from rlhf import (
    AdaptiveKLController,
    dpo_loss,
    gae,
    grpo_advantages,
    ipo_loss,
    kl_estimate,
    ppo_policy_loss,
    ppo_value_loss,
    preference_loss,
    whiten,
)
from rlhf.responses import token_entropy


@pytest.mark.parametrize(("margin", "loss"), [(0.0, 0.693147), (1.0, 0.313262), (-1.0, 1.313262), (3.0, 0.048587)])
def test_preference_loss_of_a_margin(margin, loss):
    assert preference_loss(torch.tensor([margin + 0.5]), torch.tensor([0.5])).item() == pytest.approx(loss, abs=1e-6)


def test_advantages_and_returns_of_four_tokens():
    rewards, values = torch.tensor([[-0.1, 0.0, 0.2, 1.0]]), torch.tensor([[0.5, 0.4, 0.3, 0.2]])
    mask = torch.ones(1, 4, dtype=torch.bool)

    advantages, returns = gae(rewards, values, mask)

    torch.testing.assert_close(advantages, torch.tensor([[0.48115, 0.717, 0.86, 0.8]]))
    torch.testing.assert_close(returns, torch.tensor([[0.98115, 1.117, 1.16, 1.0]]))
    whitened = torch.tensor([[-1.62080, 0.01710, 1.01019, 0.59351]])  # with the biased variance
    torch.testing.assert_close(whiten(advantages, mask), whitened, atol=1e-5, rtol=0)


def test_whitening_can_keep_the_mean():
    values, mask = torch.tensor([[1.0, 2.0, 6.0]]), torch.ones(1, 3, dtype=torch.bool)

    kept, shifted = whiten(values, mask, shift_mean=False), whiten(values, mask)

    torch.testing.assert_close(kept - shifted, torch.full((1, 3), 3.0))


def test_whitening_leaves_tiny_differences_small():
    values = torch.tensor([[1e-4, -1e-4]], dtype=torch.float64)

    found = whiten(values, torch.ones(1, 2, dtype=torch.bool))

    assert found.tolist() == [pytest.approx([math.sqrt(0.5), -math.sqrt(0.5)])]


def test_the_clip_is_never_to_the_good():
    ratio = torch.tensor([[0.7, 0.9, 1.1, 1.5]])
    advantages = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
    one = torch.ones(1, 1, dtype=torch.bool)

    losses = [ppo_policy_loss(ratio[:, [t]].log(), torch.zeros(1, 1), advantages[:, [t]], one).item() for t in range(4)]

    assert losses == pytest.approx([-0.7, 0.9, -1.1, 1.5])


@pytest.mark.parametrize(
    ("value", "old", "target", "loss"),
    [(0.5, 0.0, 1.0, 0.5 * 0.8**2), (-0.5, 0.0, 1.0, 0.5 * 1.5**2), (0.1, 0.0, 1.0, 0.5 * 0.9**2)],
)
def test_a_value_gains_nothing_by_running_ahead(value, old, target, loss):
    numbers = [torch.tensor([[x]]) for x in (value, old, target)]

    assert ppo_value_loss(*numbers, torch.ones(1, 1, dtype=torch.bool)).item() == pytest.approx(loss)


def test_dpo_of_one_pair():
    policy, reference = (torch.tensor([-10.0]), torch.tensor([-15.0])), (torch.tensor([-12.0]), torch.tensor([-14.0]))

    assert dpo_loss(*policy, *reference, beta=0.1).item() == pytest.approx(0.554355, abs=1e-6)
    assert ipo_loss(*policy, *reference, beta=0.1).item() == pytest.approx((3.0 - 5.0) ** 2)


def test_group_advantages_use_the_unbiased_deviation():
    advantages = grpo_advantages(torch.tensor([1.0, 0.0, 0.0, 1.0]), group_size=4)

    torch.testing.assert_close(advantages, 0.865875 * torch.tensor([1.0, -1.0, -1.0, 1.0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("kl", "beta"), [(3.0, 0.148464), (4.8, 0.148464), (6.0, 0.15), (7.2, 0.151536), (40.0, 0.151536)]
)
def test_the_price_follows_the_divergence(kl, beta):
    controller = AdaptiveKLController(0.15, target=6.0, horizon=10_000)

    controller.update(kl, steps=512)

    assert controller.beta == pytest.approx(beta, abs=1e-9)


def test_estimates_of_one_sample():
    policy, reference = torch.tensor([-1.0]), torch.tensor([-1.5])
    found = {kind: kl_estimate(policy, reference, kind).item() for kind in ("k1", "k2", "k3")}

    assert found == pytest.approx({"k1": 0.5, "k2": 0.125, "k3": math.exp(-0.5) - 1 + 0.5})


def test_entropy_of_a_fair_choice_is_the_logarithm_of_its_size():
    logits = torch.zeros(2, 3, 7)

    torch.testing.assert_close(token_entropy(logits, temperature=0.7), torch.full((2, 3), math.log(7)))
