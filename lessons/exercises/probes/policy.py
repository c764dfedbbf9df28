"""Probes of lessons 25 and 27: what a policy is trained by, over responses of unequal length."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw, gradients, refusal
from rlhf import advantages, ppo_loss
from rlhf.grpo_loss import grpo_advantages as advantages_in_groups


def lengths_mask(draw: Draw) -> Tensor:
    """Responses of unequal length, none of them empty: the first is padded, the last is not."""
    batch, time = draw.size(6, 9), draw.size(5, 8)
    lengths = draw.ids(1, time + 1, batch, 1)
    lengths[0], lengths[-1] = draw.size(1, time - 1), time
    return torch.arange(time) < lengths


def broken(values: Tensor, mask: Tensor, what: float = float("nan")) -> Tensor:
    """The values, and on padding what is no number: it must not flow into anything."""
    return torch.where(mask, values.detach(), what).requires_grad_(values.requires_grad)


def token_rewards(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    mask = lengths_mask(draw)
    scores, policy, reference = draw.normal(len(mask)), draw.normal(*mask.shape), draw.normal(*mask.shape)
    beta, nothing = draw.uniform(0.05, 1.0), torch.zeros_like(mask)
    return {
        "the rewards": advantages.token_rewards(scores, policy, reference, mask, beta),
        "over broken padding": advantages.token_rewards(scores, broken(policy, mask), reference, mask, beta),
        "the kind of error for empty responses": refusal(
            advantages.token_rewards, scores, policy, reference, nothing, beta
        ),
    }


def gae(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    mask = lengths_mask(draw)
    rewards, values = draw.normal(*mask.shape, grad=True), draw.normal(*mask.shape, grad=True)
    better, returns = advantages.gae(rewards, values, mask, draw.uniform(0.8, 1.0), draw.uniform(0.5, 1.0))
    found = {"the advantages": better, "the returns": returns}
    masked = advantages.gae(broken(rewards, mask), broken(values, mask), mask, 0.9, 0.8)
    found |= dict(zip(("advantages over broken padding", "returns over broken padding"), masked, strict=True))
    return found | gradients(better + returns, rewards=rewards, values=values)


def whiten(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    mask = lengths_mask(draw)
    values = 3.0 * draw.normal(*mask.shape) + 1.0
    return {
        "shifted": advantages.whiten(values, mask),
        "not shifted": advantages.whiten(values, mask, shift_mean=False),
        "over broken padding": advantages.whiten(broken(values, mask), mask),
        "of nearly equal ones": advantages.whiten(1e-4 * values, mask),  # a variance of the size of 1e-8
        "of equal ones": advantages.whiten(torch.ones_like(values), mask),
        "the kind of error for a mask of nothing": refusal(advantages.whiten, values, torch.zeros_like(mask)),
    }


def ppo_policy_loss(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    mask, clip = lengths_mask(draw), draw.uniform(0.1, 0.4)
    old, better = draw.normal(*mask.shape), draw.normal(*mask.shape)
    now = (old + 0.5 * draw.normal(*mask.shape)).requires_grad_()
    surrogate = ppo_loss.clipped_surrogate(now, old, better, mask, clip)
    loss = ppo_loss.ppo_policy_loss(now, old, better, mask, clip)
    found = {"the surrogate": surrogate, "the loss": loss} | gradients(surrogate, log_probs=now)
    padded = broken(now, mask, 2000.0)
    over = ppo_loss.ppo_policy_loss(padded, broken(old, mask), broken(better, mask), mask, clip)
    found |= {f"{name} over broken padding": g for name, g in gradients(over, log_probs=padded).items()}
    for wrong in (0.0, -0.2):
        said = refusal(ppo_loss.clipped_surrogate, now, old, better, mask, wrong)
        found[f"the kind of error for a clip of {wrong}"] = said
    nothing = refusal(ppo_loss.ppo_policy_loss, now, old, better, torch.zeros_like(mask), clip)
    return found | {"the loss over broken padding": over, "the kind of error for a mask of nothing": nothing}


def ppo_value_loss(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    mask = lengths_mask(draw)
    values, old, returns = draw.normal(*mask.shape, grad=True), draw.normal(*mask.shape), draw.normal(*mask.shape)
    clip = draw.uniform(0.1, 0.8)
    loss = ppo_loss.ppo_value_loss(values, old, returns, mask, clip)
    padded = broken(values, mask)
    over = ppo_loss.ppo_value_loss(padded, broken(old, mask), broken(returns, mask), mask, clip)
    found = {"the loss": loss, "the loss over broken padding": over} | gradients(loss, values=values)
    found |= {f"{name} over broken padding": g for name, g in gradients(over, values=padded).items()}
    wrong = refusal(ppo_loss.ppo_value_loss, values, old, returns, mask, 0.0)
    return found | {"the kind of error for a clip of 0": wrong}


def grpo_advantages(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    groups, size = draw.size(2, 4), draw.size(3, 6)
    rewards = draw.normal(groups * size)
    rewards[:size] = 0.1
    found = advantages_in_groups(rewards, size)
    refused = {
        "no whole groups": (rewards[1:], size),
        "a group of one": (rewards, 1),
        "NaN": (rewards / 0.0 * 0.0, size),
    }
    errors = {f"the kind of error for {what}": refusal(advantages_in_groups, *a) for what, a in refused.items()}
    alike = {"of nearly equal rewards": advantages_in_groups(1e-4 * rewards, size)}
    equal = advantages_in_groups(draw.normal(20).float().repeat_interleave(7), 7)
    alike["are those of equal rewards exact zeros"] = equal == 0.0
    return (
        {"the advantages": found, "without the deviation": advantages_in_groups(rewards, size, False)} | alike | errors
    )
