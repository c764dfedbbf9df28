"""Advantages: how much better than expected was each token?

    R_t = -β (log π(y_t) - log ref(y_t)) + [t is the last token] · r(x, y)            the KL is paid token by token
    δ_t = R_t + γ V_{t+1} - V_t                                                       V = 0 after the end
    A_t = δ_t + γ λ A_{t+1}                                                           returns = A + V

    whiten(v) = (v - mean) / √(var + 1e-8)          mean and biased variance over real tokens, mean added back if asked

V_t is the value before token t is chosen. Returns are taken before the advantages are whitened.

Papers    "High-Dimensional Continuous Control Using Generalized Advantage Estimation" (1506.02438);
          "Fine-Tuning Language Models from Human Preferences" (1909.08593), equation 2
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
    """The price of every token, and the score of the response on its last one (the EOS, if there is one)."""
    rewards = only_real(-beta * kl_estimate(log_probs, reference_log_probs, "k1"), mask)
    return rewards.scatter_add(1, last_token(mask)[:, None], scores[:, None].to(rewards.dtype))


def gae(
    rewards: Float[Tensor, "batch time"],
    values: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    gamma: float = 1.0,
    lam: float = 0.95,
) -> tuple[Float[Tensor, "batch time"], Float[Tensor, "batch time"]]:
    """Advantages and returns, both 0 on padding."""
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
    """Deviation 1 over the real tokens, and mean 0 unless `shift_mean` is False; 0 on padding."""
    mean = masked_mean(values, mask)
    variance = masked_mean((values - mean).square(), mask)
    whitened = (values - mean) * torch.rsqrt(variance + 1e-8)
    return only_real(whitened if shift_mean else whitened + mean, mask)
