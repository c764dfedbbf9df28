"""The Transformer: embeddings, encoder, decoder and the projection onto the vocabulary.

    logits = W_out · Decoder(target, Encoder(source))         softmax(logits_t) = p(token_{t+1} | target_{0..t}, source)

Paper     "Attention Is All You Need" (arXiv 1706.03762), figure 1;
          tied matrices: "Using the Output Embedding to Improve Language Models" (arXiv 1608.05859)
"""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer.config import TransformerConfig
from transformer.decoder import Decoder
from transformer.decoding import fast as fast_steps
from transformer.decoding import steps
from transformer.decoding.cache import KeyValueCache
from transformer.embedding import Offset, embed_tokens, positions
from transformer.encoder import Encoder
from transformer.token_model import TokenModel, embedding_norm, output_projection


class Transformer(TokenModel):
    """Source and target token ids in, logits over the vocabulary out. Raises ValueError for ids it cannot read."""

    def __init__(self, config: TransformerConfig):
        super().__init__(config)
        if config.num_segments:
            raise ValueError(f"num_segments {config.num_segments}: segments belong to an encoder-only model")
        if config.positions == "rotary":
            raise ValueError("positions 'rotary' belong to a decoder-only model")
        self.target_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.target_positions = positions(config)
        self.target_norm = embedding_norm(config)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.output = output_projection(config)
        self.complete()

    def forward(
        self, source: Int[Tensor, "batch source"], target: Int[Tensor, "batch target"], offset: Offset = 0
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits for the token after each target position. `offset`: the source's first position (`encode`)."""
        return self.output(self.states(source, target, offset))

    def states(
        self, source: Int[Tensor, "batch source"], target: Int[Tensor, "batch target"], offset: Offset = 0
    ) -> Float[Tensor, "batch target d_model"]:
        """The last vector of each target position: what the output projection reads."""
        memory, memory_mask = self.encode(source, offset)
        return self.read(target, memory, memory_mask)

    def encode(
        self, source: Int[Tensor, "batch source"], offset: Offset = 0
    ) -> tuple[Float[Tensor, "batch memory d_model"], Bool[Tensor, "batch 1 1 memory"]]:
        """The memory that the decoder reads, and which of its positions are real. The source begins at `offset`."""
        self.check_ids("source", source)
        x, mask = self.embed_source(source)
        return self.encoder(self.place_source(x, offset), mask), mask

    def decode(
        self,
        target: Int[Tensor, "batch target"],
        memory: Float[Tensor, "batch memory d_model"],
        memory_mask: Bool[Tensor, "batch 1 1 memory"] | None,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits for the token after each target position. With a cache, `target` holds the new positions only."""
        return self.output(self.read(target, memory, memory_mask, cache))

    def read(
        self,
        target: Int[Tensor, "batch target"],
        memory: Float[Tensor, "batch memory d_model"],
        memory_mask: Bool[Tensor, "batch 1 1 memory"] | None,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "batch target d_model"]:
        """The target becomes vectors, and the decoder reads them beside the memory."""
        if cache is None or cache.length == 0:
            self.check_ids("target", target)
        length = target.shape[1]
        past = 0 if cache is None else cache.advance(length)
        self.check_length("target", past + length)
        x = embed_tokens(target, self.target_embedding, self.embedding_scale)
        x = self.place(x, self.target_positions(length, past), self.target_norm)
        return self.decoder(x, memory, memory_mask, None if cache is None else cache.layers, past)

    def new_cache(self, max_length: int) -> KeyValueCache:
        """`max_length` is the number of target positions that it has room for."""
        return KeyValueCache(self.config.num_decoder_layers, max_length)

    def start(self, source: Int[Tensor, "batch source"]) -> Int[Tensor, "batch 1"]:
        """What every target begins with: bos."""
        return torch.full((len(source), 1), self.config.bos_id, dtype=torch.long, device=source.device)

    def with_response(
        self, source: Int[Tensor, "batch source"], response: Int[Tensor, "batch time"]
    ) -> tuple[Int[Tensor, "batch source"], Int[Tensor, "batch target"]]:
        """What `forward` and `states` are called with so that they read `response` as the answer to `source`."""
        return source, torch.cat([self.start(source).to(response.dtype), response], dim=1)

    def decoding(
        self, source: Int[Tensor, "batch source"], num_beams: int, room: int, use_cache: bool = True, fast: bool = False
    ) -> steps.Decoding:
        """How `generate` asks: the first tokens of every row, and what may come next (decoding/steps.py, fast.py)."""
        if fast:
            return fast_steps.answering(self, source, num_beams, room)
        return steps.answering(self, source, num_beams, room, use_cache)

    def token_matrices(self) -> tuple[Any, ...]:
        return self.target_embedding, self.source_embedding, self.output
