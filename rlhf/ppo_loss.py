"""PPO's two losses: move towards what went well, but not far from where the rollout was made.

    ratio = π(y_t) / π_old(y_t)
    L_policy = mean max(-A · ratio, -A · clip(ratio, 1 ± ε))
    L_value  = ½ mean max((V - R)², (clip(V, V_old ± ε) - R)²)            R = the return

Why the ratio. The policy gradient ∇ E_π[A] = E_π[A ∇ log π] asks for samples of π, and after one update ours are those of
π_old. Weighing a sample by the ratio makes up for it: E_old[A · ratio] = E_π[A], and where π = π_old its gradient is the policy
gradient, since ∇ ratio = ratio · ∇ log π. So one rollout serves several updates.

Why the clip. The weights are right in the mean; far from π_old a few huge ones decide all, and A was measured for another
policy. So a token's gain A · ratio stops growing where its ratio leaves 1 ± ε: no gradient pulls it any further.

Why the min. The clip alone would also let go of a token that went the wrong way, a good one that became rarer than 1 - ε, and
it could never come back. The smaller of both gains is never above A · ratio: a gain beyond the clip is not believed, a loss
always is. Of losses, which are gains with a minus, it is the larger.

Paper     "Proximal Policy Optimization Algorithms" (arXiv 1707.06347), equations 6 and 7
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
    """The mean of `clipped_surrogate` over all real tokens. Gradients reach `log_probs`; the rest is the rollout's.

    Raises ValueError for a mask without a real token, and for a clip that is not positive.
    """
    return masked_mean(clipped_surrogate(log_probs, old_log_probs, advantages, mask, clip), mask)


def clipped_surrogate(
    log_probs: Float[Tensor, "batch time"],
    old_log_probs: Float[Tensor, "batch time"],
    advantages: Float[Tensor, "batch time"],
    mask: Bool[Tensor, "batch time"],
    clip: float = 0.2,
) -> Float[Tensor, "batch time"]:
    """max(-A · ratio, -A · clip(ratio, 1 ± ε)) for each token, 0 on padding, which may hold anything, NaN too.

    Raises ValueError for a clip that is not positive.
    """
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
    """½ max((V - R)², (clip(V, V_old ± ε) - R)²), the mean over all real tokens; padding may hold anything, NaN too.

    `old_values` are the rollout's. Raises ValueError as `ppo_policy_loss` does.
    """
    check_clip(clip)
    values, old_values, returns = (only_real(x, mask) for x in (values, old_values, returns))
    near = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * masked_mean(torch.maximum((values - returns).square(), (near - returns).square()), mask)


def check_clip(clip: float) -> None:
    """Raises ValueError for a clip that is not positive."""
    if not clip > 0.0:
        raise ValueError(f"clip must be positive, not {clip}: with 0 nothing could move")
