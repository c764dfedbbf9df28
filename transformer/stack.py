"""A stack: layers of one kind, one after the other, each with weights of its own.

    x ← layer_1(x), ..., x ← layer_N(x)          and, only in pre-norm order, a last norm

Paper     "Attention Is All You Need" (arXiv 1706.03762), section 3.1; checkpoints:
          "Training Deep Nets with Sublinear Memory Cost" (arXiv 1604.06174)
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from transformer.add_norm import norm_of
from transformer.attention import MultiHeadAttention
from transformer.config import TransformerConfig


def attention(config: TransformerConfig) -> MultiHeadAttention:
    """The config's attention, whatever its layer uses it for."""
    return MultiHeadAttention(
        config.d_model,
        config.num_heads,
        num_kv_heads=config.num_kv_heads,
        head_size=config.head_size,
        bias=(config.bias if config.qkv_bias is None else config.qkv_bias, config.bias),
        head_norm=partial(norm_of, config) if config.norm_heads else nn.Identity,
    )


class Stack(nn.Module):
    """What encoder and decoders are: `layers`, and `norm` behind them.

    `gradient_checkpointing`   trades time for memory in training: of each layer the input alone is kept, and what is
                               inside is computed again in the backward pass
    """

    def __init__(self, config: TransformerConfig, layers: Iterable[nn.Module]):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = norm_of(config) if config.norm == "pre" else nn.Identity()
        self.gradient_checkpointing = False

    def run(self, layer: nn.Module, x: Tensor, *others: Any, cache: Any = None) -> Tensor:
        """One layer; its `cache`, where there is one, is its last argument."""
        if cache is not None:
            return layer(x, *others, cache)
        if self.gradient_checkpointing and self.training:
            return checkpoint(layer, x, *others, use_reentrant=False)
        return layer(x, *others)
