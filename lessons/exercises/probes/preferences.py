"""Probes of lessons 24 to 26: rewards, preferences, and how far the policy has moved."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw, gradients, refusal
from rlhf import kl, responses, reward_model
from rlhf.dpo_loss import dpo_loss as loss_of_dpo


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
    ids[:2, 0] = 6  # neither end nor padding
    ids[1, 2] = 5 - eos_id // 5  # something stands behind the end
    ended = ids.clone()
    ended[0, -2:] = eos_id
    return {
        "the mask": responses.response_mask(ids, eos_id),
        "the mask without the padding behind": responses.response_mask(ids, eos_id, pad_id=0),
        "the mask where padding is the end": responses.response_mask(ended, eos_id, pad_id=eos_id),
    }


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
