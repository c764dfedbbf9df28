"""Advantages: how much better than expected was each token?

    R_t = -β (log π(y_t) - log ref(y_t)) + [t is the last token] · r(x, y)            the KL is paid token by token
    δ_t = R_t + γ V_{t+1} - V_t                                                       V = 0 after the end
    A_t = δ_t + γ λ A_{t+1}                                                           returns = A + V

    whiten(v) = (v - mean) / √(var + 1e-8)          mean and biased variance over real tokens, mean added back if asked

V_t is the value before token t is chosen. Returns are taken before the advantages are whitened.

Why a baseline. Whatever does not depend on the token may be taken off its reward: E_π[b ∇ log π] = b ∇ Σ π = b ∇ 1 = 0, so the mean
of the policy gradient stays, and its noise shrinks. If all rewards lie near 10, every sampled token is pushed up, and only
the small differences between the pushes teach. With V taken off, what went better than expected is pushed up and the rest down.

Why λ. λ = 1 trusts what really came after the token: right in the mean, and noisy. λ = 0 trusts V one token later: calm, and wrong
where V is.

Papers    "High-Dimensional Continuous Control Using Generalized Advantage Estimation" (arXiv 1506.02438);
          "Fine-Tuning Language Models from Human Preferences" (arXiv 1909.08593), equation 2
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlhf.kl import kl_estimate
from rlhf.masked import last_token, masked_mean, only_real


def token_rewards(
    scores: Float[Tensor, " batch"],
    log_probs: Float[Tensor, "batch time"],
    reference_log_probs: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    beta: float,
) -> Float[Tensor, "batch time"]:
    """R_t: the price of every token, and the score of the response on its last one (the EOS, if there is one); 0 on padding.

    `scores`   one for each response        `beta`   the price of a nat

    Raises ValueError for a response without a token.
    """
    rewards = only_real(-beta * kl_estimate(log_probs, reference_log_probs, "k1"), mask)
    return rewards.scatter_add(1, last_token(mask)[:, None], scores[:, None].to(rewards.dtype))


def gae(
    rewards: Float[Tensor, "batch time"],
    values: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    gamma: float = 1.0,
    lam: float = 0.95,
) -> tuple[Float[Tensor, "batch time"], Float[Tensor, "batch time"]]:
    """A_t and the returns A_t + V_t, both 0 on padding; padding may hold anything, NaN too."""
    rewards, values = only_real(rewards, mask), only_real(values, mask)
    advantages = torch.zeros_like(values)
    advantage = next_value = torch.zeros_like(values[:, 0])
    for t in reversed(range(values.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        # On padding the recursion starts anew, so that nothing behind a response flows into it.
        advantage = torch.where(mask[:, t], delta + gamma * lam * advantage, 0.0)
        next_value = values[:, t]
        advantages[:, t] = advantage
    return advantages, advantages + values


def whiten(
    values: Float[Tensor, "batch time"], mask: Bool[Tensor, "batch time"], shift_mean: bool = True
) -> Float[Tensor, "batch time"]:
    """Deviation 1 over the real tokens of the batch, and mean 0 unless `shift_mean` is False; 0 on padding.

    Raises ValueError for a mask without a real token.
    """
    mean = masked_mean(values, mask)
    variance = masked_mean((values - mean).square(), mask)
    whitened = (values - mean) * torch.rsqrt(variance + 1e-8)
    return only_real(whitened if shift_mean else whitened + mean, mask)
