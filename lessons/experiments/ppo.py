"""Lesson 25's measurements: the policy gradient on three answers, its noise with and without a baseline, the saved runs."""

from itertools import product

import torch
from torch import Tensor

from lessons.preferences.figures import history
from lessons.preferences.kept import at_end, kept_arms, seed_by_seed
from lessons.teaching import Values, about, claim, kept_claim
from rlhf import gae, token_rewards
from rlhf.ppo_loss import clipped_surrogate

POLICY, REWARDS = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([1.0, 0.0, 2.0])
"""Three answers to one prompt, in the policy gradient by hand."""
BETA, SCORE, LAM = 0.1, 1.0, 0.5
LOG_PROBS, REFERENCE = torch.tensor([[-1.0, -1.5]]), torch.tensor([[-1.5, -2.0]])
VALUES = torch.tensor([[0.5, 0.4]])
REAL = torch.ones(1, 2, dtype=torch.bool)
"""An answer of two tokens, in the advantages by hand."""


def scores() -> Tensor:
    """∇ log π(y) by the three logits, a row for each answer: 1 - π for the answer's own logit, -π for the others."""
    return torch.eye(len(POLICY)) - POLICY


def noise(shift: float, baseline: float) -> float:
    """The deviation of (r + shift - b) ∇ log π(y) around its mean, for one sampled answer: a length in logits."""
    samples = (REWARDS + shift - baseline)[:, None] * scores()
    mean = POLICY @ samples
    return float((POLICY @ (samples - mean).square().sum(dim=1)).sqrt())


def advantages_by_hand() -> tuple[Tensor, Tensor]:
    """R and A of the answer of two tokens."""
    rewards = token_rewards(torch.tensor([SCORE]), LOG_PROBS, REFERENCE, REAL, BETA)
    return rewards, gae(rewards, VALUES, REAL, gamma=1.0, lam=LAM)[0]


def gains(ratios: Tensor, advantage: float) -> tuple[Tensor, Tensor]:
    """What a token gains at each ratio, by PPO's objective and without min and clip."""
    row, real = ratios[None], torch.ones(1, len(ratios), dtype=torch.bool)
    advantages = torch.full_like(row, advantage)
    return -clipped_surrogate(row.log(), torch.zeros_like(row), advantages, real)[0], advantage * ratios


def answer_weight(tokens: int, shares: tuple[float, float] = (0.5, 0.6)) -> float:
    """The weight π / π_old of an answer whose every token went from the first probability to the second."""
    return (shares[1] / shares[0]) ** tokens


@kept_claim
def inside_ppo() -> Values:
    """First and last step of what one watches: clipped ratios, entropy, what the value head explains."""
    arms = {"free": "PPO β=0", "held": "PPO β=0.1", "tight": "PPO β=0.4"}
    values: Values = {"held_beta": 0.1, "tight_beta": 0.4}
    for (name, arm), (column, scale) in product(
        arms.items(), (("clipped", 100), ("entropy", 1), ("explained", 100), ("kl", 1))
    ):
        curve = history(kept_arms("notes")[arm], column)
        values |= {f"{name}_{column}_first": scale * curve[0], f"{name}_{column}_last": scale * curve[-1]}
    ratios = [history(kept_arms("notes")[arm], "ratio") for arm in arms.values()]
    values["furthest_ratio"] = max(abs(ratio - 1) for curve in ratios for ratio in curve)
    claim(values["furthest_ratio"] < 0.1, "the mean ratio stays near 1", **values)
    claim(values["furthest_ratio"] <= round(values["furthest_ratio"], 4), "within what the title says", **values)
    claim(values["free_clipped_last"] < values["free_clipped_first"], "fewer ratios are clipped at the end", **values)
    claim(values["held_entropy_last"] < values["held_entropy_first"], "the entropy falls", **values)
    claim(about(values["tight_entropy_last"], values["tight_entropy_first"]), "it hardly moves for β = 0.4", **values)
    claim(values["free_explained_last"] > values["free_explained_first"], "the value head learns to explain", **values)
    claim(
        values["tight_kl_last"] < values["held_kl_last"] < values["free_kl_last"],
        "the price holds the policy",
        **values,
    )
    return values


@kept_claim
def price_of_leaving() -> Values:
    """Proxy, truth and KL of the reference and of PPO at three prices; the middle price is best on each seed."""
    names = {"before": "reference", "free": "PPO β=0", "held": "PPO β=0.1", "tight": "PPO β=0.4"}
    values = {f"{name}_{what}": at_end(arm, what) for name, arm in names.items() for what in ("proxy", "gold", "kl")}
    by_seed = {name: seed_by_seed(arm, "gold") for name, arm in names.items()}
    values |= {"seeds": len(by_seed["held"]), "held_beta": 0.1, "tight_beta": 0.4}
    for before, free, held, tight in zip(*by_seed.values(), strict=True):
        claim(held > tight > before > free, "on each seed the middle price is best and none is worst", **values)
    claim(values["free_proxy"] > values["held_proxy"] > values["tight_proxy"], "less price, more proxy", **values)
    return values
