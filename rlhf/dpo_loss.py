"""DPO's losses: preferences straight into the policy, without a reward model and without sampling.

    h = [log π(y_c) - log ref(y_c)] - [log π(y_r) - log ref(y_r)]         log π(y) = Σ_t log π(y_t): a sum, not a mean
    DPO    L = -log σ(β h)
    cDPO   L = -(1 - ε) log σ(β h) - ε log σ(-β h)       a share ε of the labels is wrong
    IPO    L = (h - 1 / (2β))²                           a margin to reach and not to pass, so that sure pairs do not run away

Why. The best policy at the price β is π*(y) = ref(y) · exp(r(y) / β) / Z (ppo.py). Solved for the reward,

    r(y) = β log π*(y) / ref(y) + β log Z(x)

so a policy says what it takes the rewards to be. Put into the reward model's loss, -log σ(r(y_c) - r(y_r)), Z falls out:
both responses have the same prompt. Both log-probabilities may fall while the margin grows: only their difference is asked for.

Papers    "Direct Preference Optimization" (arXiv 2305.18290), equations 4 to 7;
          IPO: "A General Theoretical Paradigm to Understand Learning from Human Preferences" (arXiv 2310.12036)
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from rlhf.masked import check_pairs


def dpo_loss(
    policy_chosen: Float[Tensor, " batch"],
    policy_rejected: Float[Tensor, " batch"],
    reference_chosen: Float[Tensor, " batch"],
    reference_rejected: Float[Tensor, " batch"],
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """-log σ(β h), or cDPO's with a share ε = `label_smoothing` of wrong labels; the mean over the pairs, in nats.

    The four are log-probabilities of whole responses. ln 2 when the policy is the reference. Raises ValueError for unequal
    shapes and for no pairs.
    """
    check_pairs(policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    margin = beta * ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected))
    return -((1.0 - label_smoothing) * F.logsigmoid(margin) + label_smoothing * F.logsigmoid(-margin)).mean()


def ipo_loss(
    policy_chosen: Float[Tensor, " batch"],
    policy_rejected: Float[Tensor, " batch"],
    reference_chosen: Float[Tensor, " batch"],
    reference_rejected: Float[Tensor, " batch"],
    beta: float = 0.1,
) -> Float[Tensor, ""]:
    """(h - 1 / (2β))², the mean over the pairs; 1 / (2β)² when the policy is the reference.

    Raises ValueError for unequal shapes and for no pairs.
    """
    check_pairs(policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    margin = (policy_chosen - reference_chosen) - (policy_rejected - reference_rejected)
    return (margin - 1.0 / (2.0 * beta)).square().mean()
