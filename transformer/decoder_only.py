"""The decoder alone, as in GPT: a text is its own source, and every token guesses the next one.

    logits_t = W_out · Stack(x_0, ..., x_t)          softmax(logits_t) = p(x_{t+1} | x_{0..t})

There is no memory to look across at, so a layer is an encoder layer; what makes it a decoder is its causal mask.

Papers    "Language Models are Unsupervised Multitask Learners" (GPT-2); pre-norm order: 2002.04745
"""

from collections.abc import Sequence

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from transformer.add_norm import norm_of
from transformer.attention import KeyValueStore
from transformer.config import TransformerConfig
from transformer.decoding.cache import PromptCache
from transformer.encoder import EncoderLayer
from transformer.masks import causal_mask, prompt_mask
from transformer.token_model import TokenModel


class CausalLayer(EncoderLayer):
    """An encoder layer that can remember the keys and values of what it has read."""

    def forward(
        self,
        x: Float[Tensor, "batch time d_model"],
        mask: Bool[Tensor, "..."] | None = None,
        cache: KeyValueStore | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        x = self.self_attention_norm(x, lambda x: self.self_attention(x, x, x, mask, cache))
        return self.feed_forward_norm(x, self.feed_forward)


class CausalStack(nn.Module):
    """A stack of layers; a last norm stands after it only in pre-norm order."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.layers = nn.ModuleList(CausalLayer(config) for _ in range(config.num_decoder_layers))
        self.norm = norm_of(config) if config.norm == "pre" else nn.Identity()
        self.gradient_checkpointing = False

    def forward(
        self,
        x: Float[Tensor, "batch time d_model"],
        mask: Bool[Tensor, "..."] | None = None,
        stores: Sequence[KeyValueStore] | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        for index, layer in enumerate(self.layers):
            if self.gradient_checkpointing and self.training and stores is None:
                x = checkpoint(layer, x, mask, use_reentrant=False)
            else:
                x = layer(x, mask, None if stores is None else stores[index])
        return self.norm(x)


class DecoderOnly(TokenModel):
    """Token ids in, logits of the token after each of them out. Raises ValueError for ids it cannot read.

    Rows of unequal length are padded in front, and positions count from the first real token. Which tokens are real is
    read from the ids (masks.py, `prompt_mask`) unless `real` says it.
    """

    continues_source = True

    def __init__(self, config: TransformerConfig):
        super().__init__(config)
        if config.num_encoder_layers or config.num_segments:
            raise ValueError(
                f"a decoder-only model has no encoder layers and no segments, not {config.num_encoder_layers} "
                f"and {config.num_segments}"
            )
        self.decoder = CausalStack(config)
        bias = config.output_bias or not config.tie_embeddings
        self.output = nn.Linear(config.d_model, config.vocab_size, bias=bias)
        self.reset_parameters()

    def forward(
        self, source: Int[Tensor, "batch time"], real: Bool[Tensor, "batch time"] | None = None
    ) -> Float[Tensor, "batch time vocab"]:
        return self.decode(source, real=real)

    def embed_source(
        self, source: Int[Tensor, "batch time"], real: Bool[Tensor, "batch time"] | None = None
    ) -> tuple[Float[Tensor, "batch memory d_model"], Bool[Tensor, "batch 1 1 memory"]]:
        """The one place where a text becomes vectors and a mask. Positions are added after it."""
        real = prompt_mask(source, self.config.pad_id) if real is None else real
        return self.source_input(self.embedding_scale * self.source_embedding(source), real[:, None, None, :])

    def decode(
        self,
        source: Int[Tensor, "batch time"],
        cache: PromptCache | None = None,
        real: Bool[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch time vocab"]:
        """Logits for the token after each of `source`. With a cache, `source` holds the new tokens only."""
        if cache is None or cache.length == 0:
            self.check_ids("source", source)
            x, mask = self.embed_source(source, real)
            if cache is not None:
                cache.begin(mask)
        else:
            x = self.embedding_scale * self.source_embedding(source)
            mask = cache.advance(source.shape[1])
        length, past = x.shape[1], mask.shape[-1] - x.shape[1]
        x = self.dropout(self.source_norm(x + self.positions_of(mask, length)))
        sees_all = cache is not None and length == 1 and not cache.padded  # no mask is cheaper than one of Trues
        visible = None if sees_all else mask & causal_mask(length, past, x.device)
        hidden = self.decoder(x, visible, None if cache is None else cache.stores)
        return self.output(hidden[:, -source.shape[1] :])

    def positions_of(self, mask: Bool[Tensor, "batch 1 1 memory"], length: int) -> Float[Tensor, "batch new d_model"]:
        """The positions of the last `length` places; padding in front takes none."""
        total = mask.shape[-1]
        if total > self.config.max_length:
            raise ValueError(f"the source has {total} positions; max_length is {self.config.max_length}")
        index = (mask[:, 0, 0].cumsum(dim=1) - 1).clamp(min=0)
        return self.source_positions(total)[index[:, -length:]]

    def new_cache(self, max_length: int) -> PromptCache:
        """`max_length` is the number of tokens that may come after the prompt."""
        return PromptCache(self.config.num_decoder_layers, max_length)

    def gradient_checkpointing(self, enabled: bool = True) -> None:
        """Trades time for memory: activations inside a layer are computed again in the backward pass."""
        self.decoder.gradient_checkpointing = enabled

    def tie_weights(self) -> None:
        if self.config.tie_embeddings:
            self.output.weight = self.source_embedding.weight
