"""The Transformer: embeddings, encoder, decoder and the projection onto the vocabulary.

    logits = W_out · Decoder(target, Encoder(source))         softmax(logits_t) = p(token_{t+1} | target_{0..t}, source)

Paper     "Attention Is All You Need" (1706.03762), figure 1; tied matrices: "Using the Output Embedding" (1608.05859)
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer.cache import KeyValueCache
from transformer.config import TransformerConfig
from transformer.decoder import Decoder
from transformer.embedding import SourceInput, positions
from transformer.encoder import Encoder
from transformer.masks import padding_mask


class Transformer(nn.Module):
    """Source and target token ids in, logits over the vocabulary out. Raises ValueError for ids it cannot read."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.source_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.target_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.source_positions = positions(config)
        self.target_positions = positions(config)
        self.source_input = SourceInput()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.output = nn.Linear(config.d_model, config.vocab_size, bias=not config.tie_embeddings)
        self.dropout = nn.Dropout(config.dropout)
        self.embedding_scale = math.sqrt(config.d_model) if config.scale_embeddings else 1.0
        self.reset_parameters()

    def forward(
        self, source: Int[Tensor, "batch source"], target: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target vocab"]:
        memory, memory_mask = self.encode(source)
        return self.decode(target, memory, memory_mask)

    def encode(
        self, source: Int[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch memory d_model"], Bool[Tensor, "batch 1 1 memory"]]:
        """The memory that the decoder reads, and which of its positions are real."""
        self.check_ids("source", source)
        x, mask = self.embed_source(source)
        length = x.shape[1]
        if length > self.config.max_length:
            raise ValueError(f"the source has {length} positions; max_length is {self.config.max_length}")
        x = self.dropout(x + self.source_positions(length))
        return self.encoder(x, mask), mask

    def embed_source(
        self, source: Int[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch memory d_model"], Bool[Tensor, "batch 1 1 memory"]]:
        """The one place where a source becomes vectors and a mask. Positions are added after it."""
        x = self.embedding_scale * self.source_embedding(source)
        return self.source_input(x, padding_mask(source, self.config.pad_id))

    def decode(
        self,
        target: Int[Tensor, "batch target"],
        memory: Float[Tensor, "batch memory d_model"],
        memory_mask: Bool[Tensor, "batch 1 1 memory"] | None,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits for the token after each target position. With a cache, `target` holds the new positions only."""
        if cache is None or cache.length == 0:
            self.check_ids("target", target)
        length = target.shape[1]
        past = 0 if cache is None else cache.advance(length)
        if past + length > self.config.max_length:
            raise ValueError(f"the target has {past + length} positions; max_length is {self.config.max_length}")
        x = self.embedding_scale * self.target_embedding(target)
        x = self.dropout(x + self.target_positions(length, past))
        return self.output(self.decoder(x, memory, memory_mask, None if cache is None else cache.layers, past))

    def new_cache(self, max_length: int) -> KeyValueCache:
        return KeyValueCache(self.config.num_decoder_layers, max_length)

    def gradient_checkpointing(self, enabled: bool = True) -> None:
        """Trades time for memory: activations inside a layer are computed again in the backward pass."""
        self.encoder.gradient_checkpointing = self.decoder.gradient_checkpointing = enabled

    def check_ids(self, name: str, ids: Tensor) -> None:
        """Raises TypeError or ValueError, with the numbers, for ids that are no batch of tokens of this vocabulary."""
        if torch.compiler.is_compiling():
            return
        if ids.is_floating_point() or ids.dtype == torch.bool:
            raise TypeError(f"{name} must hold integer token ids, not {ids.dtype}")
        if ids.dim() != 2 or 0 in ids.shape:
            raise ValueError(
                f"{name} must be a non-empty (batch, time) matrix of token ids, not shape {tuple(ids.shape)}"
            )
        if ids.shape[1] > self.config.max_length:
            raise ValueError(f"{name} has {ids.shape[1]} tokens; max_length is {self.config.max_length}")
        lowest, highest = (int(bound) for bound in ids.aminmax())
        if lowest < 0 or highest >= self.config.vocab_size:
            raise ValueError(
                f"{name} holds token ids from {lowest} to {highest}; the vocabulary is 0..{self.config.vocab_size - 1}"
            )

    def reset_parameters(self) -> None:
        """Glorot-uniform matrices, zero biases, embeddings whose scaled vectors have unit variance."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=1.0 / self.embedding_scale if self.config.scale_embeddings else 0.02)
        self.tie_weights()

    def tie_weights(self) -> None:
        if self.config.tie_embeddings:
            self.source_embedding.weight = self.target_embedding.weight
            self.output.weight = self.target_embedding.weight
