"""The decoder: like the encoder, but it may not look ahead, and it reads the encoder's memory.

Parameters   per layer 8 (d² + d) + (2 d d_ff + d_ff + d) + 6 d, with d = d_model
Paper        "Attention Is All You Need" (arXiv 1706.03762), section 3.1, right half of figure 1
"""

from collections.abc import Sequence
from itertools import repeat

from jaxtyping import Bool, Float
from torch import Tensor, nn

from transformer.add_norm import add_norm
from transformer.attention import AttentionCache
from transformer.config import TransformerConfig
from transformer.feed_forward import feed_forward
from transformer.masks import causal_mask
from transformer.stack import Stack, attention

LayerCache = tuple[AttentionCache, AttentionCache]
"""What the two attentions of one layer remember while decoding (decoding/cache.py)."""


class DecoderLayer(nn.Module):
    """Look back at what was said, look across at the source, then think."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.self_attention = attention(config)
        self.self_attention_norm = add_norm(config)
        self.cross_attention = attention(config)
        self.cross_attention_norm = add_norm(config)
        self.feed_forward = feed_forward(config)
        self.feed_forward_norm = add_norm(config)

    def forward(
        self,
        x: Float[Tensor, "batch target d_model"],
        memory: Float[Tensor, "batch source d_model"],
        mask: Bool[Tensor, "..."] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch target d_model"]:
        """Self-attention, cross-attention and feed forward, each within its Add & Norm.

        `mask`          of the self-attention: who may look back at whom
        `memory_mask`   of the cross-attention: which positions of the memory are real
        `cache`         what the self-attention and what the cross-attention remember
        """
        own, across = cache or (None, None)
        x = self.self_attention_norm(x, lambda x: self.self_attention(x, x, x, mask, own))
        x = self.cross_attention_norm(x, lambda x: self.cross_attention(x, memory, memory, memory_mask, across))
        return self.feed_forward_norm(x, self.feed_forward)


class Decoder(Stack):
    """`num_decoder_layers` layers; in pre-norm order a last norm stands behind them."""

    def __init__(self, config: TransformerConfig):
        super().__init__(config, (DecoderLayer(config) for _ in range(config.num_decoder_layers)))

    def forward(
        self,
        x: Float[Tensor, "batch target d_model"],
        memory: Float[Tensor, "batch source d_model"],
        memory_mask: Bool[Tensor, "..."] | None = None,
        caches: Sequence[LayerCache] | None = None,
        past: int = 0,
    ) -> Float[Tensor, "batch target d_model"]:
        """The vector of every target position. `past` is the number of positions that the layers' `caches` already hold."""
        length = x.shape[1]
        mask = causal_mask(length, past, x.device) if length > 1 else None  # one new position sees everything
        for layer, cache in zip(self.layers, caches or repeat(None)):
            x = self.run(layer, x, memory, mask, memory_mask, cache=cache)
        return self.norm(x)
