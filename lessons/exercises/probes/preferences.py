"""Probes of lesson 24."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw, gradients, refusal
from rlhf import advantages, kl, ppo_loss, responses, reward_model
from rlhf.dpo_loss import dpo_loss as loss_of_dpo
from rlhf.grpo_loss import grpo_advantages as advantages_in_groups


def lengths_mask(draw: Draw) -> Tensor:
    """Responses of unequal length, none of them empty, one of them padded."""
    batch, time = draw.size(2, 4), draw.size(3, 7)
    lengths = draw.ids(1, time + 1, batch, 1)
    lengths[0] = draw.size(1, time - 1)
    return torch.arange(time) < lengths


def broken(values: Tensor, mask: Tensor, what: float = float("nan")) -> Tensor:
    """The values, and on padding what is no number: it must not flow into anything."""
    return torch.where(mask, values.detach(), what).requires_grad_(values.requires_grad)


def preference_loss(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    chosen, rejected = draw.normal(5, grad=True), draw.normal(5, grad=True)
    loss = reward_model.preference_loss(chosen, rejected)
    far = torch.tensor([-2000.0, 2000.0]).double()
    sure = reward_model.preference_loss(far, -far)
    return {"the loss": loss, "of margins of 4000": sure} | gradients(loss, chosen=chosen, rejected=rejected)


def response_mask(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    ids, eos_id = draw.ids(0, 6, draw.size(4, 8), draw.size(4, 9)), draw.size(1, 5)
    ids[0, -2:], ids[1, 1] = 0, eos_id  # one that was cut off and padded, one that ended early
    ids[0] = ids[0].where(ids[0] != eos_id, 0)
    ids[1, 2] = 5 - eos_id // 5  # something stands behind the end
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
    far = torch.tensor([-9000.0, 9000.0]).double()
    sure = loss_of_dpo(far, -far, 0 * far, 0 * far, beta=0.5, label_smoothing=0.1)
    found = {"the loss": plain, "with smoothing": smoothed, "of margins of 9000": sure}
    return found | gradients(plain + smoothed, chosen=four[0], rejected=four[1])


def kl_estimate(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    policy, reference = draw.normal(2, 3, grad=True), draw.normal(2, 3)
    for kind in ("k1", "k2", "k3"):
        value = kl.kl_estimate(policy, reference, kind)
        found |= {kind: value} | {f"{name} of {kind}": g for name, g in gradients(value, policy=policy).items()}
    near = reference + 1e-9 * draw.uniform(1.0, 2.0)  # r - 1 has lost all its digits there, expm1 has not
    found["k3 of near neighbours, by 1e18"] = 1e18 * kl.kl_estimate(near, reference, "k3").abs().clamp(max=1e-17)
    return found | {"the kind of error for an unknown kind": refusal(kl.kl_estimate, policy, reference, "k4")}


def adaptive_kl(seed: int) -> dict[str, Tensor]:
    draw, prices = Draw(seed), []
    target = draw.uniform(1.0, 9.0)
    for times in (0.5, 0.95, 1.05, 1.5):  # below the clip, within it, above it
        controller = kl.AdaptiveKLController(draw.uniform(0.1, 1.0), target, horizon=draw.size(50, 300))
        controller.update(target * times, 40)
        prices.append(controller.beta)
    for _ in range(6):
        controller = kl.AdaptiveKLController(draw.uniform(0.1, 1.0), target, horizon=draw.size(50, 300))
        controller.update(target * draw.uniform(0.5, 1.6), draw.size(1, 40))
        controller.update(target * draw.uniform(0.9, 1.1), draw.size(1, 40))
        prices.append(controller.beta)
    found = {"the prices": torch.tensor(prices, dtype=torch.float64)}
    for divergence, steps in ((float("nan"), 1), (float("inf"), 1), (target, 0), (target, 5 * controller.horizon)):
        said = refusal(controller.update, divergence, steps)
        found[f"the kind of error for a KL of {divergence:.3f} over {steps} responses"] = said
    return found


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
    mask[-1] = True
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
    refused = {"no whole groups": (rewards[1:], size), "a group of one": (rewards, 1), "NaN": (rewards / 0.0 * 0.0, size)}
    errors = {f"the kind of error for {what}": refusal(advantages_in_groups, *a) for what, a in refused.items()}
    alike = {"of nearly equal rewards": advantages_in_groups(1e-4 * rewards, size)}
    equal = advantages_in_groups(draw.normal(20).float().repeat_interleave(7), 7)
    alike["are those of equal rewards exact zeros"] = equal == 0.0
    return {"the advantages": found, "without the deviation": advantages_in_groups(rewards, size, False)} | alike | errors
