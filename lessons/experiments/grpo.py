"""Lesson 27's measurements: a group by hand, GRPO on six answers of which one is overrated, the saved runs."""

import torch
from torch import Tensor

from lessons.preferences.kept import at_end, kept_arms, seed_by_seed
from lessons.teaching import Values, claim, kept_claim
from rlhf import grpo_advantages, grpo_loss

GROUP = torch.tensor([1.0, 0.0, 0.0, 1.0])
"""The rewards of four answers to one prompt, in the example by hand."""
REFERENCE = torch.tensor([0.34, 0.25, 0.20, 0.16, 0.045, 0.005])
PROXY = torch.tensor([0.0, 0.2, 0.5, 1.0, 0.9, 1.6])
TRUTH = torch.tensor([0.0, 0.2, 0.5, 1.0, 0.2, -3.0])
"""Six answers: the reward model is right on the four that the reference often gives, and wrong on the two that it seldom gives."""


def followed(beta: float, steps: int, groups: int = 16, size: int = 8) -> tuple[list[float], list[float]]:
    """Proxy and truth of the policy, exact, before the first and after every step of GRPO on six answers."""
    generator = torch.Generator().manual_seed(0)
    logits = REFERENCE.log().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.05)
    real = torch.ones(groups * size, 1, dtype=torch.bool)
    proxy, truth = [float(REFERENCE @ PROXY)], [float(REFERENCE @ TRUTH)]
    for _ in range(steps):
        policy = logits.softmax(dim=0)
        answers = policy.detach().multinomial(groups * size, replacement=True, generator=generator)
        log_probs = policy.log()[answers][:, None]
        advantages = grpo_advantages(PROXY[answers], size)
        known = REFERENCE.log()[answers][:, None]
        loss = grpo_loss(log_probs, log_probs.detach(), known, advantages, real, beta)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        after = logits.detach().softmax(dim=0)
        proxy.append(float(after @ PROXY))
        truth.append(float(after @ TRUTH))
    return proxy, truth


def first_step(beta: float = 0.1) -> tuple[float, Tensor]:
    """The loss of the group by hand at the first update, and its gradient by the four log-probabilities."""
    log_probs = torch.full((4, 1), -1.0, requires_grad=True)
    real = torch.ones(4, 1, dtype=torch.bool)
    old = log_probs.detach()
    loss = grpo_loss(log_probs, old, old, grpo_advantages(GROUP, 4), real, beta)
    loss.backward()
    gradient = log_probs.grad
    if gradient is None:
        raise RuntimeError("the loss reaches no log-probability")
    return float(loss.detach()), gradient[:, 0]


def answers_beside(names: tuple[str, ...], count: int = 6) -> list[list[str]]:
    """Rows of a source and each arm's answer to it, of the first seed."""
    arms = [kept_arms("notes")[name][0]["answers"][:count] for name in names]
    return [[together[0]["source"], *(one["answer"] for one in together)] for together in zip(*arms, strict=True)]


@kept_claim
def proxy_and_truth() -> Values:
    """The proxy and the truth at the start, and of GRPO and PPO without a price: on each seed one climbs, one falls."""
    names = {"before": "reference", "grpo": "GRPO β=0", "ppo": "PPO β=0", "held": "PPO β=0.1"}
    values = {
        f"{name}_{what}": at_end(arm, what) for name, arm in names.items() for what in ("proxy", "gold", "length")
    }
    for name in ("grpo", "ppo"):
        for what, up in (("proxy", True), ("gold", False)):
            both = zip(seed_by_seed("reference", what), seed_by_seed(names[name], what), strict=True)
            claim(all((after > before) == up for before, after in both), f"without a price: {what}, {name}", **values)
    claim(values["held_gold"] > values["before_gold"], "with a price PPO's truth rises", **values)
    claim(values["grpo_length"] > 2 * values["before_length"], "the hacked answers are long", **values)
    return values


@kept_claim
def same_beta_is_no_same_price() -> Values:
    """GRPO and PPO at one β: GRPO goes further from the reference, and past the best truth."""
    names = {"before": "reference", "grpo": "GRPO β=0.1", "ppo": "PPO β=0.1"}
    values = {f"{name}_{what}": at_end(arm, what) for name, arm in names.items() for what in ("kl", "gold", "proxy")}
    values["times"] = values["grpo_kl"] / values["ppo_kl"]
    claim(values["times"] > 2, "the same β holds GRPO less", **values)
    claim(values["grpo_gold"] < values["before_gold"], "GRPO goes too far", **values)
    claim(values["grpo_proxy"] > values["ppo_proxy"], "by the proxy it looks better", **values)
    return values
