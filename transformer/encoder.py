"""The encoder: layers of self-attention and feed forward that turn source vectors into a memory.

Parameters   per layer 4 (d² + d) + (2 d d_ff + d_ff + d) + 4 d, with d = d_model
Paper        "Attention Is All You Need" (arXiv 1706.03762), section 3.1, left half of figure 1
"""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from transformer.add_norm import add_norm
from transformer.config import TransformerConfig
from transformer.feed_forward import feed_forward
from transformer.stack import Stack, attention


class EncoderLayer(nn.Module):
    """Every position looks at every other, then thinks by itself."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.self_attention = attention(config)
        self.self_attention_norm = add_norm(config)
        self.feed_forward = feed_forward(config)
        self.feed_forward_norm = add_norm(config)

    def forward(
        self, x: Float[Tensor, "batch source d_model"], mask: Bool[Tensor, "..."] | None = None
    ) -> Float[Tensor, "batch source d_model"]:
        """Self-attention and feed forward, each within its Add & Norm. `mask` is True where a position may be looked at."""
        x = self.self_attention_norm(x, lambda x: self.self_attention(x, x, x, mask))
        return self.feed_forward_norm(x, self.feed_forward)


class Encoder(Stack):
    """`num_encoder_layers` layers; in pre-norm order a last norm stands behind them."""

    def __init__(self, config: TransformerConfig):
        super().__init__(config, (EncoderLayer(config) for _ in range(config.num_encoder_layers)))

    def forward(
        self, x: Float[Tensor, "batch source d_model"], mask: Bool[Tensor, "..."] | None = None
    ) -> Float[Tensor, "batch source d_model"]:
        """The memory: every position's vector, which knows its context."""
        for layer in self.layers:
            x = self.run(layer, x, mask)
        return self.norm(x)
