"""Feed forward: the same two-layer network at every position.

    FFN(x) = W_2 φ(W_1 x + b_1) + b_2          W_1 ∈ R^{d_ff × d_model}, W_2 ∈ R^{d_model × d_ff}

    gated    W_2 (φ(W_1 x) ⊙ W_3 x)            W_3 ∈ R^{d_ff × d_model}: what passes is decided number by number

Parameters   2 d_model d_ff + d_ff + d_model; gated d_model d_ff more, and d_ff more biases where there are biases
Papers       "Attention Is All You Need" (arXiv 1706.03762), section 3.3 (φ = ReLU);
             gated: "GLU Variants Improve Transformer" (arXiv 2002.05202; SwiGLU is φ = SiLU)
"""

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from transformer.config import Activation, TransformerConfig

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "silu": F.silu,
}


class FeedForward(nn.Module):
    """To d_ff features, through the non-linearity φ = `activation`, and back to d_model."""

    def __init__(self, d_model: int, d_ff: int, activation: Activation = "relu", bias: bool = True):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation is one of {', '.join(ACTIVATIONS)}, not {activation!r}")
        self.fc1 = nn.Linear(d_model, d_ff, bias)
        self.fc2 = nn.Linear(d_ff, d_model, bias)
        self.activation = activation

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """W_2 φ(W_1 x + b_1) + b_2: no residual and no norm, which are AddNorm's."""
        return self.fc2(ACTIVATIONS[self.activation](self.fc1(x)))


class GatedFeedForward(FeedForward):
    """With a third matrix, `fc3`, whose outputs pass as far as the gate φ(W_1 x) is open."""

    def __init__(self, d_model: int, d_ff: int, activation: Activation = "silu", bias: bool = True):
        super().__init__(d_model, d_ff, activation, bias)
        self.fc3 = nn.Linear(d_model, d_ff, bias)

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """W_2 (φ(W_1 x) ⊙ W_3 x) with W_1, W_2, W_3 = fc1, fc2, fc3, each with its bias where there is one."""
        return self.fc2(ACTIVATIONS[self.activation](self.fc1(x)) * self.fc3(x))


def feed_forward(config: TransformerConfig) -> FeedForward:
    kind = GatedFeedForward if config.gated else FeedForward
    return kind(config.d_model, config.d_ff, config.activation, config.bias)
