"""Probes of lesson 24."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw, gradients
from rlhf import advantages, kl, ppo_loss, responses, reward_model
from rlhf.dpo_loss import dpo_loss as loss_of_dpo
from rlhf.grpo_loss import grpo_advantages as advantages_in_groups


def lengths_mask(draw: Draw) -> Tensor:
    """Responses of unequal length, none of them empty."""
    batch, time = draw.size(2, 4), draw.size(3, 7)
    return torch.arange(time) < draw.ids(1, time + 1, batch, 1)


def preference_loss(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    chosen, rejected = draw.normal(5, grad=True), draw.normal(5, grad=True)
    loss = reward_model.preference_loss(chosen, rejected)
    return {"the loss": loss} | gradients(loss, chosen=chosen, rejected=rejected)


def response_mask(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    ids, eos_id = draw.ids(0, 6, draw.size(2, 6), draw.size(2, 9)), draw.size(1, 5)
    masks = {"the mask": responses.response_mask(ids, eos_id)}
    return masks | {"the mask without the padding behind": responses.response_mask(ids, eos_id, pad_id=0)}


def token_log_probs(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    vocab = draw.size(3, 9)
    logits = draw.normal(2, 4, vocab, grad=True)
    found = responses.token_log_probs(logits, draw.ids(0, vocab, 2, 4), draw.uniform(0.3, 2.0))
    return {"the log-probabilities": found} | gradients(found, logits=logits)


def dpo_loss(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    four = [draw.normal(4, grad=True) for _ in range(4)]
    plain = loss_of_dpo(*four, beta=draw.uniform(0.05, 1.0))
    smoothed = loss_of_dpo(*four, beta=draw.uniform(0.05, 1.0), label_smoothing=draw.uniform(0.01, 0.4))
    return {"the loss": plain, "with smoothing": smoothed} | gradients(
        plain + smoothed, chosen=four[0], rejected=four[1]
    )


def kl_estimate(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    policy, reference = draw.normal(2, 3, grad=True), draw.normal(2, 3)
    for kind in ("k1", "k2", "k3"):
        value = kl.kl_estimate(policy, reference, kind)
        found |= {kind: value} | {f"{name} of {kind}": g for name, g in gradients(value, policy=policy).items()}
    return found


def adaptive_kl(seed: int) -> dict[str, Tensor]:
    draw, prices = Draw(seed), []
    target = draw.uniform(1.0, 9.0)
    for _ in range(6):
        controller = kl.AdaptiveKLController(draw.uniform(0.1, 1.0), target, horizon=draw.size(50, 300))
        controller.update(target * draw.uniform(0.5, 1.6), draw.size(1, 40))
        controller.update(target * draw.uniform(0.9, 1.1), draw.size(1, 40))
        prices.append(controller.beta)
    return {"the prices": torch.tensor(prices, dtype=torch.float64)}


def token_rewards(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    mask = lengths_mask(draw)
    scores, policy, reference = draw.normal(len(mask)), draw.normal(*mask.shape), draw.normal(*mask.shape)
    return {"the rewards": advantages.token_rewards(scores, policy, reference, mask, draw.uniform(0.05, 1.0))}


def gae(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    mask = lengths_mask(draw)
    rewards, values = draw.normal(*mask.shape, grad=True), draw.normal(*mask.shape, grad=True)
    better, returns = advantages.gae(rewards, values, mask, draw.uniform(0.8, 1.0), draw.uniform(0.5, 1.0))
    found = {"the advantages": better, "the returns": returns}
    return found | gradients(better + returns, rewards=rewards, values=values)


def whiten(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    mask = lengths_mask(draw)
    mask[0] = True
    values = 3.0 * draw.normal(*mask.shape) + 1.0
    return {
        "shifted": advantages.whiten(values, mask),
        "not shifted": advantages.whiten(values, mask, shift_mean=False),
    }


def ppo_policy_loss(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    mask, clip = lengths_mask(draw), draw.uniform(0.1, 0.4)
    old, better = draw.normal(*mask.shape), draw.normal(*mask.shape)
    now = (old + 0.5 * draw.normal(*mask.shape)).requires_grad_()
    surrogate = ppo_loss.clipped_surrogate(now, old, better, mask, clip)
    loss = ppo_loss.ppo_policy_loss(now, old, better, mask, clip)
    return {"the surrogate": surrogate, "the loss": loss} | gradients(surrogate, log_probs=now)


def ppo_value_loss(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    mask = lengths_mask(draw)
    values, old, returns = draw.normal(*mask.shape, grad=True), draw.normal(*mask.shape), draw.normal(*mask.shape)
    loss = ppo_loss.ppo_value_loss(values, old, returns, mask, draw.uniform(0.1, 0.8))
    return {"the loss": loss} | gradients(loss, values=values)


def grpo_advantages(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    groups, size = draw.size(1, 4), draw.size(2, 6)
    rewards = draw.normal(groups * size)
    rewards[:size] = 0.1
    found = advantages_in_groups(rewards, size)
    return {"the advantages": found, "without the deviation": advantages_in_groups(rewards, size, False)}
