"""Heads: one number read from a state of the model.

    value    V_t = w · h_t + b       h_t is the state before token t      w = 0 at the start, so that V = 0
    reward   r   = gain · (w · h_T + b) + shift       h_T is the state after the last      w ~ N(0, 1 / (d_model + 1)), b = 0

The variance of the reward's w is 1 / (d_model + 1), its deviation the root of that; "Learning to summarize from human feedback"
(arXiv 2009.01325) prints the first for the second. Gain and shift are not learnt: they fix the scale on samples of the reference.

Parameters   d_model + 1 each; they belong to no adapter and are saved whole, beside it (saving.py)
Paper        "Fine-Tuning Language Models from Human Preferences" (arXiv 1909.08593), sections 2.1 and 2.2
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ScalarHead(nn.Module):
    """A linear map to one number, w · h + b. `std` is the deviation of w at the start; b starts at 0."""

    def __init__(self, d_model: int, std: float):
        super().__init__()
        self.linear = nn.Linear(d_model, 1)
        nn.init.normal_(self.linear.weight, std=std)
        nn.init.zeros_(self.linear.bias)

    def forward(self, states: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch"]:
        """One number for each state."""
        return self.linear(states.to(self.linear.weight.dtype)).squeeze(-1)


def value_head(d_model: int) -> ScalarHead:
    """A head that says 0 of every state until it has learnt."""
    return ScalarHead(d_model, std=0.0)


class RewardHead(ScalarHead):
    """A head whose numbers can be brought to a scale: gain · (w · h + b) + shift."""

    gain: Tensor
    shift: Tensor

    def __init__(self, d_model: int):
        super().__init__(d_model, std=1.0 / math.sqrt(d_model + 1))
        self.register_buffer("gain", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))

    def forward(self, states: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch"]:
        """The reward that is read from each state."""
        return self.gain * super().forward(states) + self.shift

    @torch.no_grad()
    def normalize(self, rewards: Float[Tensor, " samples"]) -> None:
        """Changes gain and shift so that these rewards, which this head gave, would have mean 0 and deviation 1.

        Raises ValueError for rewards that are all equal or not finite.
        """
        mean, deviation = rewards.mean(), rewards.std(correction=0)
        if not rewards.isfinite().all() or not deviation > 0.0:
            raise ValueError(
                f"the rewards of {len(rewards)} samples have mean {mean.item()} and deviation {deviation.item()}: "
                "they cannot be brought to 0 and 1"
            )
        self.gain.div_(deviation)
        self.shift.sub_(mean).div_(deviation)
