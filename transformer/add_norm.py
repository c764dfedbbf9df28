"""Add & Norm: the residual connection around a sub-layer, and the normalization that keeps its size.

    LayerNorm(x) = g ⊙ (x - mean(x)) / √(var(x) + ε) + b        mean and biased variance over the last axis
    RMSNorm(x)   = g ⊙ x / √(mean(x²) + ε)                      no mean is taken off, and there is no bias

    post-norm (the paper)   y = LayerNorm(x + dropout(sublayer(x)))
    pre-norm                y = x + dropout(sublayer(LayerNorm(x)))

Parameters   2 d_model, RMSNorm d_model
Papers       "Layer Normalization" (arXiv 1607.06450); "Root Mean Square Layer Normalization" (arXiv 1910.07467);
             "Attention Is All You Need" (arXiv 1706.03762), sections 3.1, 5.4;
             on the order of norm and residual: "On Layer Normalization in the Transformer Architecture" (arXiv 2002.04745)
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from transformer.config import NormKind, NormOrder, TransformerConfig
from transformer.dropout import Dropout


class LayerNorm(nn.Module):
    """Every vector to mean 0 and variance 1, then to a learned gain and bias."""

    def __init__(self, d_model: int, eps: float = 1e-5):
        super().__init__()
        if d_model < 1 or not eps > 0.0:
            raise ValueError(f"LayerNorm needs d_model >= 1 and eps > 0, not d_model {d_model} and eps {eps}")
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """The formula, over the last axis; ε stands under the root and keeps it from 0. `x` stays as it is."""
        centered = x - x.mean(dim=-1, keepdim=True)
        variance = centered.square().mean(dim=-1, keepdim=True)
        return self.weight * (centered * torch.rsqrt(variance + self.eps)) + self.bias


class RMSNorm(nn.Module):
    """Every vector to a mean square of 1, then to a learned gain."""

    def __init__(self, d_model: int, eps: float = 1e-5):
        super().__init__()
        if d_model < 1 or not eps > 0.0:
            raise ValueError(f"RMSNorm needs d_model >= 1 and eps > 0, not d_model {d_model} and eps {eps}")
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """The formula, over the last axis; ε stands under the root. No mean is taken off, there is no bias. `x` stays as it is."""
        return self.weight * (x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + self.eps))


NORMS: dict[str, type[LayerNorm] | type[RMSNorm]] = {"layer": LayerNorm, "rms": RMSNorm}


class AddNorm(nn.Module):
    """Wraps a sub-layer, given as a function, into its residual connection. `order` is "post" or "pre"."""

    def __init__(
        self,
        d_model: int,
        dropout: float = 0.0,
        norm: NormOrder = "post",
        eps: float = 1e-5,
        norm_kind: NormKind = "layer",
    ):
        super().__init__()
        if norm not in ("post", "pre"):
            raise ValueError(f"norm is 'post' or 'pre', not {norm!r}")
        self.order = norm
        self.norm = NORMS[norm_kind](d_model, eps)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch time d_model"], sublayer: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "batch time d_model"]:
        """One of the two formulas above: dropout falls on what the sub-layer says, never on the residual."""
        if self.order == "pre":
            return x + self.dropout(sublayer(self.norm(x)))
        return self.norm(x + self.dropout(sublayer(x)))


def norm_of(config: TransformerConfig, size: int | None = None) -> LayerNorm | RMSNorm:
    """The config's norm, of d_model numbers or of `size`."""
    return NORMS[config.norm_kind](size or config.d_model, config.layer_norm_eps)


def add_norm(config: TransformerConfig) -> AddNorm:
    return AddNorm(config.d_model, config.dropout, config.norm, config.layer_norm_eps, config.norm_kind)
