"""The reward model: what would people like? One number for a prompt and a response, learnt from pairs.

    P(chosen ≻ rejected) = σ(r(x, y_c) - r(x, y_r))          L = -mean log σ(r(x, y_c) - r(x, y_r))

    r(x, y) = gain · (w · h_T + b) + shift               h_T is the state after the last real token (heads.py)

Only differences are learnt, so the scale is free. It is fixed afterwards: samples of the reference get mean 0 and deviation
1. Then a price β of the KL means the same for every reward model.

Papers    the model of paired comparisons: Bradley and Terry (1952);
          "Fine-Tuning Language Models from Human Preferences" (arXiv 1909.08593), sections 2.1 and 2.2
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from peft.frame.casting import adapter_dtype
from rlhf.heads import RewardHead
from rlhf.masked import check_pairs, last_token
from rlhf.responses import response_mask, states_after

SCORING_BATCH = 256


def preference_loss(chosen: Float[Tensor, " batch"], rejected: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    """-mean log σ(r_c - r_r): how surprised the model is by the choices, in nats; ln 2 when it has no opinion.

    Raises ValueError for unequal shapes and for no pairs.
    """
    check_pairs(chosen, rejected)
    return -F.logsigmoid(chosen - rejected).mean()


class RewardModel(nn.Module):
    """A model of the policy's family and a head: r(x, y). What of the base is trainable is trained: all of it, or an adapter.

    The base is the reward model's own: give it a copy, so that the policy and its judge do not learn together.
    """

    def __init__(self, base: Any):
        super().__init__()
        self.base = base
        some = next(base.parameters())
        self.head = RewardHead(base.config.d_model).to(some.device, adapter_dtype(base))
        self.eval()

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        responses: Int[Tensor, "batch time"],
        mask: Bool[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """The reward of each response. Without a mask, a response ends with its EOS, or with its last token."""
        if mask is None:
            mask = response_mask(responses, self.base.config.eos_id, self.base.config.pad_id)
        states = states_after(self.base, source, responses)
        return self.head(states[torch.arange(len(states), device=states.device), last_token(mask)])

    @torch.no_grad()
    def normalize(self, source: Int[Tensor, "batch source"], responses: Int[Tensor, "batch time"]) -> None:
        """Makes the rewards of these responses, samples of the reference, have mean 0 and deviation 1."""
        rows = torch.arange(len(source), device=source.device).split(SCORING_BATCH)
        self.head.normalize(torch.cat([self(source[some], responses[some]) for some in rows]))
