"""The layers of a decoder alone. There is no memory to look across at, so a layer is an encoder layer; what makes it a decoder is
its causal mask.

Paper     the order of pre-norm: "On Layer Normalization in the Transformer Architecture" (arXiv 2002.04745)
"""

from collections.abc import Sequence
from itertools import repeat

from jaxtyping import Bool, Float
from torch import Tensor

from transformer.attention import AttentionCache
from transformer.config import TransformerConfig
from transformer.encoder import EncoderLayer
from transformer.rotary import Rotate, unturned
from transformer.stack import Stack


class CausalLayer(EncoderLayer):
    """An encoder layer that can remember the keys and values of what it has read."""

    def forward(
        self,
        x: Float[Tensor, "batch time d_model"],
        mask: Bool[Tensor, "..."] | None = None,
        rotate: Rotate = unturned,
        cache: AttentionCache | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """As `EncoderLayer.forward`; with a cache, `x` holds the new positions only."""
        x = self.self_attention_norm(x, lambda x: self.self_attention(x, x, x, mask, cache, rotate))
        return self.feed_forward_norm(x, self.feed_forward)


class CausalStack(Stack):
    """`num_decoder_layers` layers; in pre-norm order a last norm stands behind them."""

    def __init__(self, config: TransformerConfig):
        super().__init__(config, (CausalLayer(config) for _ in range(config.num_decoder_layers)))

    def forward(
        self,
        x: Float[Tensor, "batch time d_model"],
        mask: Bool[Tensor, "..."] | None = None,
        caches: Sequence[AttentionCache] | None = None,
        rotate: Rotate = unturned,
    ) -> Float[Tensor, "batch time d_model"]:
        """The last vector of every position. `mask` is causal and leaves padding out; `rotate` turns queries and keys."""
        for layer, cache in zip(self.layers, caches or repeat(None)):
            x = self.run(layer, x, mask, rotate, cache=cache)
        return self.norm(x)
