"""GRPO's advantages and loss: each response is judged against the others to the same prompt.

    A_i = (r_i - mean(r)) / (sd(r) + 1e-4)                 over the group of i; the unbiased sd; one A for all tokens of a response
    L   = average of  max(-A · ratio, -A · clip(ratio, 1 ± ε)) + β · k3(π, ref)

    averaging     "response"   1 / |y| Σ_t, then the mean over responses: the paper's. Long bad answers are punished less a token
                  "constant"   Σ_t over all / (responses · max_length): every token counts alike (Dr. GRPO)

The mean of the group is the baseline (advantages.py), so that no value head is needed. A group whose rewards are all equal says
nothing: its advantages are 0.

At the first update of a step every ratio is 1, and with averaging "response" the A of a group sum to 0: what is left of the loss
is β · k3, which is 0 while the policy is the reference. Its gradient is not 0. With "constant" each A counts once a token, so the
loss is 0 only where all lengths are equal. A loss of about 0 is no sign that nothing is learnt.

Papers    "DeepSeekMath" (arXiv 2402.03300), section 4.1; the clip: ppo_loss.py; the biases of 1 / |y| and 1 / sd:
          "Understanding R1-Zero-Like Training: A Critical Perspective" (arXiv 2503.20783)
"""

from typing import Literal, get_args

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from rlhf.kl import Estimator, kl_estimate
from rlhf.masked import only_real
from rlhf.ppo_loss import clipped_surrogate
from rlhf.rollout import check_scores

Averaging = Literal["response", "constant"]


def grpo_advantages(
    rewards: Float[Tensor, " responses"], group_size: int, divide_by_deviation: bool = True
) -> Float[Tensor, " responses"]:
    """A: rewards of groups that stand one after another, each against the mean of its own group.

    Divided by the group's unbiased deviation + 1e-4, unless `divide_by_deviation` is False; a group of equal rewards gets
    exact zeros. Raises ValueError for rewards that are not finite, or that are no whole groups of at least 2.
    """
    if group_size < 2 or len(rewards) % group_size:
        raise ValueError(f"{len(rewards)} rewards are no groups of {group_size}; a group has at least 2")
    check_scores(rewards, len(rewards))
    groups = rearrange(rewards, "(groups member) -> groups member", member=group_size)
    better = groups - groups.mean(dim=1, keepdim=True)
    if divide_by_deviation:
        better = better / (groups.std(dim=1, keepdim=True) + 1e-4)
    # The mean of equal numbers may miss them by a rounding error, which the 1e-4 would blow up.
    silent = groups.amax(dim=1, keepdim=True) == groups.amin(dim=1, keepdim=True)
    return rearrange(better.masked_fill(silent, 0.0), "groups member -> (groups member)")


def grpo_loss(
    log_probs: Float[Tensor, "batch time"],
    old_log_probs: Float[Tensor, "batch time"],
    reference_log_probs: Float[Tensor, "batch time"],
    advantages: Float[Tensor, " batch"],
    mask: Bool[Tensor, "batch time"],
    beta: float = 0.04,
    clip: float = 0.2,
    averaging: Averaging = "response",
    max_length: int = 0,
    kind: Estimator = "k3",
) -> Float[Tensor, ""]:
    """The clipped surrogate of PPO and β times the KL to the reference, averaged as `averaging` says.

    `advantages`   one for each response; all of its tokens have it
    `max_length`   the constant of the averaging "constant", which needs one: the most tokens of a response
    `kind`         how the KL is estimated, "k2" or "k3" (kl.py)

    Padding may hold anything; a response without a token counts as 0. Raises ValueError for the kind "k1", an unknown
    averaging, "constant" without a `max_length`, and a clip that is not positive.
    """
    if averaging not in get_args(Averaging) or (averaging == "constant" and max_length < 1):
        raise ValueError(
            f"averaging is 'response', or 'constant' with a max_length, not {averaging!r} and {max_length}"
        )
    check_kind(kind)
    spread = advantages[:, None].expand_as(mask)
    surrogate = clipped_surrogate(log_probs, old_log_probs, spread, mask, clip)
    price = kl_estimate(only_real(log_probs, mask), only_real(reference_log_probs, mask), kind)
    totals = (surrogate + beta * price).sum(dim=1)
    lengths = mask.sum(dim=1).clamp(min=1) if averaging == "response" else max_length
    return (totals / lengths).mean()


def check_kind(kind: Estimator) -> None:
    """Raises ValueError for an estimate of the KL that teaches nothing as a loss."""
    if kind == "k1":
        raise ValueError("k1 as a loss has a gradient of 0 in the mean: take 'k2' or 'k3'")
