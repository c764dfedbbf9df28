"""The encoder: layers of self-attention and feed forward that turn source vectors into a memory.

Parameters   per layer 4 (d² + d) + (2 d d_ff + d_ff + d) + 4 d, with d = d_model
Paper        "Attention Is All You Need" (1706.03762), section 3.1, left half of figure 1
"""

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from transformer.add_norm import add_norm, norm_of
from transformer.attention import MultiHeadAttention
from transformer.config import TransformerConfig
from transformer.feed_forward import FeedForward


class EncoderLayer(nn.Module):
    """Every position looks at every other, then thinks by itself."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.self_attention = MultiHeadAttention(config.d_model, config.num_heads, fused=config.fused)
        self.self_attention_norm = add_norm(config)
        self.feed_forward = FeedForward(config.d_model, config.d_ff, config.activation)
        self.feed_forward_norm = add_norm(config)

    def forward(
        self, x: Float[Tensor, "batch source d_model"], mask: Bool[Tensor, "..."] | None = None
    ) -> Float[Tensor, "batch source d_model"]:
        x = self.self_attention_norm(x, lambda x: self.self_attention(x, x, x, mask))
        return self.feed_forward_norm(x, self.feed_forward)


class Encoder(nn.Module):
    """A stack of layers; a last norm stands after it only in pre-norm order."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_encoder_layers))
        self.norm = norm_of(config) if config.norm == "pre" else nn.Identity()
        self.gradient_checkpointing = False

    def forward(
        self, x: Float[Tensor, "batch source d_model"], mask: Bool[Tensor, "..."] | None = None
    ) -> Float[Tensor, "batch source d_model"]:
        for layer in self.layers:
            if self.gradient_checkpointing and self.training:
                x = checkpoint(layer, x, mask, use_reentrant=False)
            else:
                x = layer(x, mask)
        return self.norm(x)
