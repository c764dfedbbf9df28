"""The decoder: like the encoder, but it may not look ahead, and it reads the encoder's memory.

Parameters   per layer 8 (d² + d) + (2 d d_ff + d_ff + d) + 6 d, with d = d_model
Paper        "Attention Is All You Need" (1706.03762), section 3.1, right half of figure 1
"""

from collections.abc import Sequence

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from transformer.add_norm import add_norm, norm_of
from transformer.attention import KeyValueStore, MultiHeadAttention
from transformer.config import TransformerConfig
from transformer.feed_forward import FeedForward
from transformer.masks import causal_mask

LayerCache = tuple[KeyValueStore, KeyValueStore]
"""What one layer remembers while decoding: its own past, and the memory's keys and values (cache.py)."""


class DecoderLayer(nn.Module):
    """Look back at what was said, look across at the source, then think."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.self_attention = MultiHeadAttention(config.d_model, config.num_heads, fused=config.fused)
        self.self_attention_norm = add_norm(config)
        self.cross_attention = MultiHeadAttention(config.d_model, config.num_heads, fused=config.fused)
        self.cross_attention_norm = add_norm(config)
        self.feed_forward = FeedForward(config.d_model, config.d_ff, config.activation)
        self.feed_forward_norm = add_norm(config)

    def forward(
        self,
        x: Float[Tensor, "batch target d_model"],
        memory: Float[Tensor, "batch source d_model"],
        mask: Bool[Tensor, "..."] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch target d_model"]:
        past, seen = cache or (None, None)
        x = self.self_attention_norm(x, lambda x: self.self_attention(x, x, x, mask, past))
        x = self.cross_attention_norm(x, lambda x: self.cross_attention(x, memory, memory, memory_mask, seen))
        return self.feed_forward_norm(x, self.feed_forward)


class Decoder(nn.Module):
    """A stack of layers; a last norm stands after it only in pre-norm order."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.num_decoder_layers))
        self.norm = norm_of(config) if config.norm == "pre" else nn.Identity()
        self.gradient_checkpointing = False

    def forward(
        self,
        x: Float[Tensor, "batch target d_model"],
        memory: Float[Tensor, "batch source d_model"],
        memory_mask: Bool[Tensor, "..."] | None = None,
        layer_caches: Sequence[LayerCache] | None = None,
        past: int = 0,
    ) -> Float[Tensor, "batch target d_model"]:
        """`past` is the number of target positions that the caches already hold."""
        length = x.shape[1]
        mask = causal_mask(length, past, x.device) if length > 1 else None  # one new position sees everything
        for index, layer in enumerate(self.layers):
            cache = None if layer_caches is None else layer_caches[index]
            if self.gradient_checkpointing and self.training and cache is None:
                x = checkpoint(layer, x, memory, mask, memory_mask, use_reentrant=False)
            else:
                x = layer(x, memory, mask, memory_mask, cache)
        return self.norm(x)
