"""How far has the policy moved? Estimates of KL(π ‖ ref) from samples of π, and who sets its price β.

    r = ref(y) / π(y)          k1 = -log r          k2 = (log r)² / 2          k3 = r - 1 - log r          in nats

    E_π[k1] = E_π[k3] = KL(π ‖ ref)          k1 may be negative, k2 and k3 never; k2 is biased, and close while π is near ref

As a loss, with the samples held fixed, they pull differently: the gradient of k1 is 0 in the mean, that of k2 is the
gradient of KL(π ‖ ref), that of k3 is the gradient of the *other* divergence, KL(ref ‖ π).

    adaptive β     e = clip(KL / target - 1, ±0.2)          β ← β (1 + e · steps / horizon)

Papers    k1, k2, k3: John Schulman, "Approximating KL Divergence" (http://joschu.net/blog/kl-approx.html, 2020);
          adaptive β: "Fine-Tuning Language Models from Human Preferences" (arXiv 1909.08593), section 2.2
"""

import math
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

Estimator = Literal["k1", "k2", "k3"]


def kl_estimate(
    log_probs: Float[Tensor, "*shape"], reference_log_probs: Float[Tensor, "*shape"], kind: Estimator = "k1"
) -> Float[Tensor, "*shape"]:
    """k1, k2 or k3 for each sampled token, in nats, without a mean. Raises ValueError for an unknown kind.

    k3 is computed with expm1, which keeps the digits of r - 1 where r is nearly 1.
    """
    if kind not in get_args(Estimator):
        raise ValueError(f"kind is one of {', '.join(get_args(Estimator))}, not {kind!r}")
    log_ratio = reference_log_probs - log_probs
    if kind == "k1":
        return -log_ratio
    if kind == "k2":
        return 0.5 * log_ratio.square()
    return torch.expm1(log_ratio) - log_ratio


class FixedKLController:
    """A price that stays. Raises ValueError for a price that is negative or not finite."""

    def __init__(self, beta: float):
        self.beta = check_price(beta)

    def update(self, kl: float, steps: int) -> None:
        """Nothing to do, whatever the divergence was."""


class AdaptiveKLController:
    """A price that rises while the policy is farther from the reference than `target` (nats per response), and falls else.

    `beta`      the price at the start, and at any time
    `target`    the KL that it seeks
    `horizon`   the number of responses over which β may grow or shrink by a fifth

    Raises ValueError for a price that is not positive (0 would stay 0), a target that is not positive, and a horizon below 1.
    """

    def __init__(self, beta: float, target: float, horizon: int):
        self.beta = check_price(beta)
        if not beta > 0.0:
            raise ValueError(f"beta {beta} is multiplied and would stay as it is: start with a price above 0")
        if not target > 0.0 or horizon < 1:
            raise ValueError(f"target {target} must be positive and horizon {horizon} at least 1")
        self.target = target
        self.horizon = horizon

    def update(self, kl: float, steps: int) -> None:
        """β ← β (1 + clip(kl / target - 1, ±0.2) · steps / horizon), where `kl` is the mean over `steps` responses.

        Raises ValueError for a `kl` that is NaN or infinite, and for `steps` outside of 0 to five horizons, both excluded:
        they could turn β negative.
        """
        if not math.isfinite(kl):
            raise ValueError(f"the KL divergence is {kl}: the policy or the reference is broken")
        if not 0 < steps < 5 * self.horizon:
            raise ValueError(f"steps {steps} must lie between 0 and five times the horizon {self.horizon}")
        error = min(max(kl / self.target - 1.0, -0.2), 0.2)
        self.beta *= 1.0 + error * steps / self.horizon


def check_price(beta: float) -> float:
    """The price itself. Raises ValueError where it is negative or not finite."""
    if not 0.0 <= beta < math.inf:
        raise ValueError(f"beta is a price and not negative, not {beta}")
    return beta
