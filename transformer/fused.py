"""Faster twins, for `attention="fused"`: what the clear parts compute, by torch's kernels and with fewer random numbers.

    Attend      → FusedAttend       torch's kernel, which never holds the matrix of weights, where that pays
    LayerNorm   → FusedLayerNorm    torch's kernel: one pass over memory
    RMSNorm     → FusedRMSNorm      the same; on a CPU the gradient in closed form
    Dropout     → FastDropout       one draw of 64 bits serves four numbers

Each has the parameters and the name of the part in whose place it stands, and a test holds it to that part: the same
numbers but for rounding, and for dropout the same distribution. What they save: tests/benchmarks/README.md.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from transformer.add_norm import LayerNorm, RMSNorm
from transformer.attention import Attend, for_every_query, scaled_dot_product_attention
from transformer.config import TransformerConfig
from transformer.dropout import Dropout, check_probability
from transformer.root_mean_square import closed_form_is_faster, root_mean_square

CHOICES = 2**16
SHORT = 64
"""Below this length, on a CPU, the kernel's backward pass takes longer than the formula's (tests/benchmarks/README.md)."""


def put_twins(model: nn.Module, config: TransformerConfig) -> None:
    """With `attention="fused"`, every part of the model that has a twin here becomes it. No number changes."""
    twins: dict[type, type] = {Attend: FusedAttend, Dropout: FastDropout}
    twins |= {LayerNorm: FusedLayerNorm, RMSNorm: FusedRMSNorm}
    for module in model.modules() if config.attention == "fused" else ():
        module.__class__ = twins.get(type(module), type(module))


class FusedAttend(Attend):
    """The kernel, or the formula where its backward pass is the faster one."""

    def forward(
        self,
        query: Float[Tensor, "batch heads query d_head"],
        key: Float[Tensor, "batch kv_heads key d_head"],
        value: Float[Tensor, "batch kv_heads key d_head"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch heads query d_head"]:
        """As `Attend.forward`."""
        key, value = (for_every_query(x, query.shape[1]) for x in (key, value))
        dropout = self.dropout if self.training else 0.0
        mask = unless_all_true(mask)
        if formula_is_faster(query, key, value):
            return scaled_dot_product_attention(query, key, value, mask, dropout)[0]
        return fused_attention(query, key, value, mask, dropout)


def formula_is_faster(query: Tensor, key: Tensor, value: Tensor) -> bool:
    """On a CPU, in short sequences, while gradients are needed."""
    needs_gradient = torch.is_grad_enabled() and any(x.requires_grad for x in (query, key, value))
    return query.device.type == "cpu" and needs_gradient and max(query.shape[-2], key.shape[-2]) < SHORT


def fused_attention(
    query: Float[Tensor, "*batch query d_head"],
    key: Float[Tensor, "*batch key d_head"],
    value: Float[Tensor, "*batch key d_head"],
    mask: Bool[Tensor, "..."] | None = None,
    dropout: float = 0.0,
) -> Float[Tensor, "*batch query d_head"]:
    """torch's kernel: the same numbers as the formula, without the matrix of weights in memory."""
    output = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
    # Kernels differ on a query that may attend to nothing; the contract says 0.
    hears = None if mask is None else unless_all_true(mask.any(dim=-1, keepdim=True))
    return output if hears is None else output.masked_fill(~hears, 0.0)


def unless_all_true(mask: Bool[Tensor, "..."] | None) -> Bool[Tensor, "..."] | None:
    """None for a mask of nothing but Trues, as in a batch of words of one length: leaving it out gives the same for less.

    Only a CPU is asked, and not while torch.compile looks: elsewhere waiting for the answer costs more than it saves.
    """
    if mask is None or mask.device.type != "cpu" or torch.compiler.is_compiling():
        return mask
    return None if mask.all() else mask


class FusedLayerNorm(LayerNorm):
    """torch's kernel: the same numbers in one pass over memory."""

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """As `LayerNorm.forward`."""
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class FusedRMSNorm(RMSNorm):
    """torch's kernel on a GPU. On a CPU torch has none, and the gradient in closed form takes less time."""

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """As `RMSNorm.forward`."""
        if closed_form_is_faster(x, self.weight):
            return root_mean_square(x, self.weight, self.eps)
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class FastDropout(Dropout):
    """The formula from fewer random numbers."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """As `Dropout.forward`."""
        return fast_dropout(x, self.p if self.training else 0.0)


def fast_dropout(x: Float[Tensor, "*shape"], p: float) -> Float[Tensor, "*shape"]:
    """Dropout with p rounded to a multiple of 2⁻¹⁶. Raises ValueError for a `p` outside [0, 1).

    One draw of 64 bits serves four numbers, 16 bits each: about half of torch's time (tests/benchmarks/bench_parts.py).
    """
    check_probability(p)
    if p == 0.0:
        return x
    dropped = min(round(p * CHOICES), CHOICES - 1)  # so many of the 2¹⁶ choices
    draws = torch.empty(math.ceil(x.numel() / 4), dtype=torch.int64, device=x.device).random_(-(2**63), None)
    chosen = draws.view(torch.int16)[: x.numel()].view(x.shape)  # each of -2¹⁵ .. 2¹⁵ - 1 equally often
    # The comparison writes its 0 and 1 in the type of x at once, without a tensor of Trues and Falses in between.
    kept = torch.ge(chosen, dropped - CHOICES // 2, out=torch.empty(x.shape, dtype=x.dtype, device=x.device))
    return x * kept.mul_(CHOICES / (CHOICES - dropped))
