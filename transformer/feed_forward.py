"""Feed forward: the same two-layer network at every position.

    FFN(x) = W_2 φ(W_1 x + b_1) + b_2          W_1 ∈ R^{d_ff × d_model}, W_2 ∈ R^{d_model × d_ff}

Parameters   2 d_model d_ff + d_ff + d_model
Paper        "Attention Is All You Need" (arXiv 1706.03762), section 3.3 (φ = ReLU)
"""

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from transformer.config import Activation

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "silu": F.silu,
}


class FeedForward(nn.Module):
    """To d_ff features, through the non-linearity φ = `activation`, and back to d_model."""

    def __init__(self, d_model: int, d_ff: int, activation: Activation = "relu"):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation is one of {', '.join(ACTIVATIONS)}, not {activation!r}")
        self.fc1 = nn.Linear(d_model, d_ff)
        self.fc2 = nn.Linear(d_ff, d_model)
        self.activation = activation

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """W_2 φ(W_1 x + b_1) + b_2: no residual and no norm, which are AddNorm's."""
        return self.fc2(ACTIVATIONS[self.activation](self.fc1(x)))
