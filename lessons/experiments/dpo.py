"""Lesson 26's measurements: the best policy of three answers, a pair by hand, the saved runs of DPO."""

import math

import torch
from torch import Tensor

from lessons.preferences.figures import history
from lessons.preferences.kept import at_end, kept_arms, seed_by_seed
from lessons.teaching import Values, claim, kept_claim

REFERENCE, REWARDS = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.0, 1.0, 2.0])
"""Three answers to one prompt, in the derivation by hand."""
BETA = 0.1
POLICY_CHOSEN, REFERENCE_CHOSEN = -9.0, -7.0
POLICY_REJECTED, REFERENCE_REJECTED = -13.0, -10.0
"""log-probabilities of a pair: both answers have lost likelihood, the rejected one more."""
ARM = "DPO β=0.1"


def best_policy(beta: float) -> tuple[Tensor, float]:
    """π* = ref · exp(r / β) / Z, and Z."""
    weights = REFERENCE * (REWARDS / beta).exp()
    return weights / weights.sum(), float(weights.sum())


def goal(policy: Tensor, beta: float) -> float:
    """E_π[r] - β KL(π ‖ ref)."""
    return float(policy @ REWARDS - beta * (policy @ (policy / REFERENCE).log()))


def best_of_random(beta: float, count: int = 20_000) -> float:
    """The highest goal of as many random policies."""
    logits = 4 * torch.randn(count, len(REWARDS), generator=torch.Generator().manual_seed(0))
    policies = logits.softmax(dim=1)
    distance = (policies * (policies / REFERENCE).clamp(min=1e-30).log()).sum(dim=1)
    return float((policies @ REWARDS - beta * distance).max())


@kept_claim
def both_sides_of_dpo() -> Values:
    """The log-ratios of the chosen and the rejected answers at the end, and how many times less likely they are."""
    rows = kept_arms("notes")[ARM]
    chosen, rejected = (history(rows, f"{side}_log_ratio")[-1] for side in ("chosen", "rejected"))
    values = {
        "chosen": chosen, "rejected": rejected, "margin": chosen - rejected,
        "chosen_times": math.exp(-chosen), "rejected_times": math.exp(-rejected),
    }  # fmt: skip
    for row in rows:
        claim(
            row["history"][-1]["chosen_log_ratio"] < 0, "the chosen answers become less likely on each seed", **values
        )
    claim(rejected < chosen, "the rejected ones lose more", **values)
    return values


@kept_claim
def dpo_beside_ppo() -> Values:
    """DPO and PPO at the same price: the truth, the proxy and the distance."""
    names = {"before": "reference", "dpo": ARM, "ppo": "PPO β=0.1"}
    values = {f"{name}_{what}": at_end(arm, what) for name, arm in names.items() for what in ("gold", "proxy", "kl")}
    for before, dpo in zip(seed_by_seed("reference", "gold"), seed_by_seed(ARM, "gold"), strict=True):
        claim(dpo > before + 1, "DPO is well above the start on each seed", **values)
    claim(abs(values["ppo_gold"] - values["dpo_gold"]) < 0.5, "PPO and DPO end near each other", **values)
    claim(values["dpo_proxy"] < values["ppo_proxy"], "the proxy, which DPO never saw, rises less", **values)
    return values


@kept_claim
def answers_beside_judgements() -> Values:
    """Greedy British word error after each kind of feedback on real words, in per cent."""
    arms = {"reference": "reference", "ppo": "PPO β=0.1", "grpo": "GRPO β=0.1", "dpo": ARM, "told": "told the answer"}
    values = {name: 100 * at_end(arm, "word_error", "words") for name, arm in arms.items()}
    judged = min(values[name] for name in ("ppo", "grpo", "dpo"))
    values["judged_gain"], values["told_gain"] = values["reference"] - judged, values["reference"] - values["told"]
    claim(
        values["told_gain"] > 2 * values["judged_gain"], "the answer itself teaches far more than a judgement", **values
    )
    return values
