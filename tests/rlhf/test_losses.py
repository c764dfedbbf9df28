"""Every loss against its loop in NumPy, and what stands in the padding never matters."""

from inspect import unwrap

import numpy as np
import pytest
import torch
from torch import Tensor

from rlhf import (
    dpo_loss,
    gae,
    grpo_advantages,
    grpo_loss,
    ipo_loss,
    ppo_policy_loss,
    ppo_value_loss,
    preference_loss,
    token_rewards,
    whiten,
)
from tests.reference import rlhf as by_hand

LENGTHS, TIME = (5, 2, 7, 1), 7
MASK = torch.arange(TIME) < torch.tensor(LENGTHS)[:, None]


@pytest.fixture
def numbers() -> dict[str, Tensor]:
    """Log-probabilities far enough apart for every clip to matter, in float64."""
    generator = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    names = ("advantages", "values", "old_values", "returns")
    drawn = {name: normal(4, TIME) for name in names} | {"scores": normal(4)}
    old = -normal(4, TIME).abs()
    return drawn | {"old": old, "new": old + 0.3 * normal(4, TIME), "reference": old + 0.4 * normal(4, TIME)}


def losses(x: dict[str, Tensor], mask: Tensor) -> dict[str, Tensor]:
    rewards = token_rewards(x["scores"], x["new"], x["reference"], mask, beta=0.3)
    advantages, returns = gae(rewards, x["values"], mask, gamma=0.97, lam=0.9)
    return {
        "policy": ppo_policy_loss(x["new"], x["old"], x["advantages"], mask, clip=0.15),
        "value": ppo_value_loss(x["values"], x["old_values"], x["returns"], mask, clip=0.3),
        "grpo": grpo_loss(x["new"], x["old"], x["reference"], x["scores"], mask, 0.4, 0.15),
        "grpo constant": grpo_loss(
            x["new"], x["old"], x["reference"], x["scores"], mask, 0.4, 0.15, averaging="constant", max_length=TIME
        ),
        "rewards": rewards,
        "advantages": advantages,
        "returns": returns,
        "whitened": whiten(x["advantages"], mask),
    }


def test_each_is_the_loop_in_numpy(numbers):
    x = {name: tensor.numpy() for name, tensor in numbers.items()}
    mask = MASK.numpy()
    rewards = by_hand.token_rewards(x["scores"], x["new"], x["reference"], mask, 0.3)
    advantages, returns = by_hand.gae(rewards, x["values"], mask, 0.97, 0.9)
    ratios = (x["new"], x["old"], x["reference"], x["scores"], mask, 0.4, 0.15)
    wanted = {
        "policy": by_hand.ppo_policy_loss(x["new"], x["old"], x["advantages"], mask, 0.15),
        "value": by_hand.ppo_value_loss(x["values"], x["old_values"], x["returns"], mask, 0.3),
        "grpo": by_hand.grpo_loss(*ratios, per=None),
        "grpo constant": by_hand.grpo_loss(*ratios, per=TIME),
        "rewards": rewards,
        "advantages": advantages,
        "returns": returns,
        "whitened": by_hand.whiten(x["advantages"], mask),
    }

    for name, found in losses(numbers, MASK).items():
        np.testing.assert_allclose(found.numpy(), wanted[name], atol=1e-12, err_msg=name)


def test_pairwise_losses_are_the_loop_in_numpy(numbers):
    four = [numbers[name][:, 0] for name in ("new", "values", "old", "returns")]
    arrays = [tensor.numpy() for tensor in four]

    assert preference_loss(*four[:2]).item() == pytest.approx(by_hand.preference_loss(*arrays[:2]), rel=1e-12)
    for smoothing in (0.0, 0.2):
        wanted = by_hand.dpo_loss(*arrays, beta=0.7, smoothing=smoothing)
        assert dpo_loss(*four, beta=0.7, label_smoothing=smoothing).item() == pytest.approx(wanted, rel=1e-12)
    assert ipo_loss(*four, beta=0.7).item() == pytest.approx(by_hand.ipo_loss(*arrays, beta=0.7), rel=1e-12)


def test_group_advantages_are_the_loop_in_numpy(rng):
    rewards = rng.normal(size=15)

    found = grpo_advantages(torch.tensor(rewards), group_size=5)

    np.testing.assert_allclose(found.numpy(), by_hand.grpo_advantages(rewards, 5), atol=1e-12)


@pytest.mark.parametrize("junk", [1e30, -7.0, float("nan"), float("inf")])
def test_padding_changes_no_loss_and_no_gradient(numbers, junk):
    def spoilt(tensor: Tensor) -> Tensor:
        return tensor if tensor.dim() == 1 else torch.where(MASK, tensor, junk)

    clean = losses(numbers, MASK)
    leaves = {name: spoilt(tensor).requires_grad_() for name, tensor in numbers.items()}
    found = losses(leaves, MASK)
    (found["policy"] + found["value"] + found["grpo"] + found["grpo constant"]).backward()

    for name in clean:
        assert torch.equal(found[name], clean[name]), name
    for name in ("new", "values"):
        assert leaves[name].grad.isfinite().all(), name
        assert (leaves[name].grad[~MASK] == 0.0).all(), name


def test_rewards_advantages_returns_and_whitened_values_are_0_on_padding(numbers):
    found = losses(numbers, MASK)

    for name in ("rewards", "advantages", "returns", "whitened"):
        assert (found[name][~MASK] == 0.0).all(), name


def test_a_longer_padding_is_the_same_batch(numbers):
    wider = {name: x if x.dim() == 1 else torch.nn.functional.pad(x, (0, 3), value=9.0) for name, x in numbers.items()}
    mask = torch.nn.functional.pad(MASK, (0, 3))

    short, long = losses(numbers, MASK), losses(wider, mask)

    for name in ("policy", "value", "grpo", "grpo constant"):
        torch.testing.assert_close(long[name], short[name])
    for name in ("advantages", "returns", "whitened"):
        torch.testing.assert_close(long[name][:, :TIME], short[name])


def test_whitened_values_have_mean_0_and_biased_variance_1_over_real_tokens(numbers):
    whitened = whiten(numbers["advantages"], MASK)[MASK]

    assert whitened.mean().item() == pytest.approx(0.0, abs=1e-12)
    assert whitened.var(correction=0).item() == pytest.approx(1.0, rel=1e-6)


def test_whitening_equal_values_gives_0():
    assert torch.equal(whiten(torch.full((2, 3), 0.7), torch.ones(2, 3, dtype=torch.bool)), torch.zeros(2, 3))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_descending_the_policy_loss_makes_good_tokens_likelier_and_bad_ones_rarer(sign):
    log_probs = torch.full((1, 3), -1.0, requires_grad=True)
    mask = torch.ones(1, 3, dtype=torch.bool)

    ppo_policy_loss(log_probs, log_probs.detach(), sign * torch.ones(1, 3), mask).backward()

    assert (-log_probs.grad * sign > 0.0).all()


def test_descending_dpo_raises_the_chosen_and_lowers_the_rejected():
    chosen, rejected = torch.tensor([-3.0], requires_grad=True), torch.tensor([-3.0], requires_grad=True)

    dpo_loss(chosen, rejected, torch.tensor([-3.0]), torch.tensor([-3.0])).backward()

    assert chosen.grad < 0.0 < rejected.grad


def test_the_price_of_the_divergence_lowers_what_the_policy_says_more_often_than_the_reference():
    rewards = token_rewards(
        torch.zeros(1),
        torch.tensor([[-1.0, -1.0]]),
        torch.tensor([[-2.0, -0.5]]),
        torch.ones(1, 2, dtype=torch.bool),
        0.1,
    )

    torch.testing.assert_close(rewards, torch.tensor([[-0.1, 0.05]]))


def test_the_score_goes_to_the_last_real_token(numbers):
    rewards = token_rewards(torch.tensor([5.0, 6.0, 7.0, 8.0]).double(), numbers["old"], numbers["old"], MASK, 0.5)

    assert [rewards[row, length - 1].item() for row, length in enumerate(LENGTHS)] == [5.0, 6.0, 7.0, 8.0]
    assert rewards.sum() == 26.0


def test_the_papers_average_lets_a_long_response_weigh_as_much_as_a_short_one():
    mask = torch.tensor([[True] * 4, [True, False, False, False]])
    log_probs = torch.full((2, 4), -1.0, requires_grad=True)
    advantages = torch.ones(2)

    gradients = {}
    for averaging in ("response", "constant"):
        loss = grpo_loss(
            log_probs, log_probs.detach(), log_probs.detach(), advantages, mask, 0.0, averaging=averaging, max_length=4
        )
        (gradients[averaging],) = torch.autograd.grad(loss, log_probs)

    torch.testing.assert_close(gradients["response"].sum(dim=1), torch.tensor([-0.5, -0.5]))
    torch.testing.assert_close(gradients["constant"].sum(dim=1), torch.tensor([-0.5, -0.125]))


def test_grpo_begins_at_a_loss_of_0_with_a_gradient_that_is_not_where_every_response_counts_once():
    log_probs = torch.full((4, 3), -1.0, requires_grad=True)
    advantages = grpo_advantages(torch.tensor([1.0, 0.0, 0.5, 2.0]), 4)

    loss = grpo_loss(log_probs, log_probs.detach(), log_probs.detach(), advantages, torch.ones(4, 3, dtype=torch.bool))
    loss.backward()

    assert loss.item() == pytest.approx(0.0, abs=1e-7)
    assert log_probs.grad.abs().sum() > 0.1


def test_with_the_constant_average_the_first_loss_is_0_only_where_all_lengths_are_equal():
    lengths = torch.tensor([1, 3, 2, 3])
    mask = torch.arange(3) < lengths[:, None]
    log_probs, advantages = torch.full((4, 3), -1.0), grpo_advantages(torch.tensor([2.0, 0.0, 0.5, 0.0]), 4)

    def loss(mask: Tensor) -> float:
        same = (log_probs, log_probs, log_probs, advantages, mask)
        return grpo_loss(*same, averaging="constant", max_length=3).item()

    assert loss(mask) == pytest.approx((-(advantages * lengths).mean() / 3).item(), abs=1e-6)
    assert abs(loss(mask)) > 0.1
    assert loss(torch.ones_like(mask)) == pytest.approx(0.0, abs=1e-6)


def test_groups_stand_one_after_another():
    rewards = torch.tensor([0.0, 1.0, 10.0, 11.0])

    advantages = grpo_advantages(rewards, group_size=2)

    torch.testing.assert_close(advantages[:2], advantages[2:], rtol=1e-4, atol=0)


@pytest.mark.parametrize("reward", [0.1, 5.3, -1e4])
def test_a_group_of_equal_rewards_says_exactly_nothing(reward):
    rewards = torch.tensor([reward] * 3 + [0.0, 1.0, 2.0])

    advantages = grpo_advantages(rewards, group_size=3)

    assert torch.equal(advantages[:3], torch.zeros(3))
    assert advantages[3:].abs().sum() > 0.0


@pytest.mark.parametrize("other", [0.0, 9.0])
def test_nor_does_the_rounding_error_of_its_mean(other):
    rewards = torch.tensor([5.3] * 7 + [other, *range(6)])
    assert (rewards[:7] - rewards[:7].mean()).abs().max() > 0.0

    assert torch.equal(grpo_advantages(rewards, group_size=7)[:7], torch.zeros(7))


def test_a_response_without_a_token_counts_as_nothing_in_grpo():
    mask = torch.tensor([[True, True], [False, False]])
    log_probs = torch.full((2, 2), -1.0, requires_grad=True)

    loss = grpo_loss(log_probs, log_probs.detach() - 0.1, log_probs.detach(), torch.ones(2), mask)
    loss.backward()

    assert loss.item() == pytest.approx(-np.exp(0.1) / 2)
    assert log_probs.grad.isfinite().all()
    assert (log_probs.grad[1] == 0.0).all()


def test_what_cannot_be_computed_is_refused():
    ones, nothing = torch.ones(2, 3), torch.zeros(2, 3, dtype=torch.bool)
    with pytest.raises(ValueError, match="no real token"):
        ppo_policy_loss(ones, ones, ones, nothing)
    with pytest.raises(ValueError, match=r"rows \[0, 1\] are empty"):
        token_rewards(torch.ones(2), ones, ones, nothing, 0.1)
    with pytest.raises(ValueError, match="clip must be positive"):
        ppo_policy_loss(ones, ones, ones, ~nothing, clip=0.0)
    with pytest.raises(ValueError, match="row 1"):
        grpo_advantages(torch.tensor([0.0, float("nan")]), 2)
    with pytest.raises(ValueError, match="5 rewards are no groups of 2"):
        grpo_advantages(torch.zeros(5), 2)
    with pytest.raises(ValueError, match="at least 2"):
        grpo_advantages(torch.zeros(5), 1)
    with pytest.raises(ValueError, match="k1 as a loss"):
        grpo_loss(ones, ones, ones, torch.ones(2), ~nothing, kind="k1")
    with pytest.raises(ValueError, match="clip must be positive"):
        ppo_value_loss(ones, ones, ones, ~nothing, clip=0.0)
    for settings, said in (({}, 0), ({"max_length": -6}, -6)):
        with pytest.raises(ValueError, match=f"with a max_length, not 'constant' and {said}"):
            grpo_loss(ones, ones, ones, torch.ones(2), ~nothing, averaging="constant", **settings)
    grpo_loss(ones, ones, ones, torch.ones(2), ~nothing, averaging="constant", max_length=1)
    with pytest.raises(ValueError, match="averaging is 'response', or 'constant' with a max_length, not 'token'"):
        unwrap(grpo_loss)(ones, ones, ones, torch.ones(2), ~nothing, averaging="token")


def test_a_score_of_another_precision_is_paid_all_the_same():
    log_probs = torch.zeros(1, 2, dtype=torch.float64)

    rewards = token_rewards(torch.ones(1), log_probs, log_probs, torch.ones(1, 2, dtype=torch.bool), beta=0.1)

    assert torch.equal(rewards, torch.tensor([[0.0, 1.0]], dtype=torch.float64))


def test_a_response_of_one_token_has_an_advantage():
    advantages, returns = gae(torch.tensor([[1.0]]), torch.tensor([[0.25]]), torch.tensor([[True]]))

    assert (advantages.item(), returns.item()) == (0.75, 1.0)
