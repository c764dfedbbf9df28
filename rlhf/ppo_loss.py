"""PPO's two losses: move towards what went well, but not far from where the rollout was made.

    ratio = π(y_t) / π_old(y_t)
    L_policy = mean max(-A · ratio, -A · clip(ratio, 1 ± ε))
    L_value  = ½ mean max((V - R)², (clip(V, V_old ± ε) - R)²)            R = the return

The maximum takes the worse of two cases, so a step beyond the clip is never rewarded and always punished.

Paper     "Proximal Policy Optimization Algorithms" (1707.06347), equation 7
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlhf.masked import masked_mean, only_real


def ppo_policy_loss(
    log_probs: Float[Tensor, "batch time"],
    old_log_probs: Float[Tensor, "batch time"],
    advantages: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    clip: float = 0.2,
) -> Float[Tensor, ""]:
    return masked_mean(clipped_surrogate(log_probs, old_log_probs, advantages, mask, clip), mask)


def clipped_surrogate(
    log_probs: Float[Tensor, "batch time"],
    old_log_probs: Float[Tensor, "batch time"],
    advantages: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    clip: float = 0.2,
) -> Float[Tensor, "batch time"]:
    """max(-A · ratio, -A · clipped ratio) for each token, 0 on padding."""
    check_clip(clip)
    ratio = only_real(log_probs - old_log_probs, mask).exp()
    gain = only_real(advantages, mask)
    return torch.maximum(-gain * ratio, -gain * ratio.clamp(1.0 - clip, 1.0 + clip))


def ppo_value_loss(
    values: Float[Tensor, "batch time"],
    old_values: Float[Tensor, "batch time"],
    returns: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    clip: float = 0.2,
) -> Float[Tensor, ""]:
    check_clip(clip)
    values, old_values, returns = (only_real(x, mask) for x in (values, old_values, returns))
    near = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * masked_mean(torch.maximum((values - returns).square(), (near - returns).square()), mask)


def check_clip(clip: float) -> None:
    if not clip > 0.0:
        raise ValueError(f"clip must be positive, not {clip}: with 0 nothing could move")
