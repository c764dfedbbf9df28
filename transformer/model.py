"""The Transformer: embeddings, encoder, decoder and the projection onto the vocabulary.

    logits = W_out · Decoder(target, Encoder(source))         softmax(logits_t) = p(token_{t+1} | target_{0..t}, source)

Paper     "Attention Is All You Need" (1706.03762), figure 1; tied matrices: "Using the Output Embedding" (1608.05859)
"""

from dataclasses import replace

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer.config import TransformerConfig
from transformer.decoder import Decoder
from transformer.decoding.cache import KeyValueCache
from transformer.embedding import positions
from transformer.encoder import Encoder
from transformer.masks import needed
from transformer.token_model import TokenModel, embedding_norm


class Transformer(TokenModel):
    """Source and target token ids in, logits over the vocabulary out. Raises ValueError for ids it cannot read."""

    def __init__(self, config: TransformerConfig):
        super().__init__(config)
        if config.num_segments:
            raise ValueError(f"num_segments {config.num_segments}: segments belong to an encoder-only model")
        self.target_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.target_positions = positions(config)
        self.target_norm = embedding_norm(config)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        bias = config.output_bias or not config.tie_embeddings
        self.output = nn.Linear(config.d_model, config.vocab_size, bias=bias)
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
        return self.encoder(self.place_source(x), needed(mask)), mask

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
        x = self.dropout(self.target_norm(x + self.target_positions(length, past)))
        caches = None if cache is None else cache.layers
        return self.output(self.decoder(x, memory, needed(memory_mask), caches, past))

    def new_cache(self, max_length: int) -> KeyValueCache:
        return KeyValueCache(self.config.num_decoder_layers, max_length)

    def gradient_checkpointing(self, enabled: bool = True) -> None:
        """Trades time for memory: activations inside a layer are computed again in the backward pass."""
        self.encoder.gradient_checkpointing = self.decoder.gradient_checkpointing = enabled

    def tie_weights(self) -> None:
        if self.config.tie_embeddings:
            self.source_embedding.weight = self.target_embedding.weight
            self.output.weight = self.target_embedding.weight

    def untie_weights(self) -> None:
        """Each of the three places gets a matrix of its own, with the numbers that it has now."""
        for module in (self.source_embedding, self.target_embedding, self.output):
            module.weight = nn.Parameter(module.weight.detach().clone(), module.weight.requires_grad)
        if self.output.bias is None:
            self.output.bias = nn.Parameter(self.output.weight.new_zeros(self.config.vocab_size))
        self.config = replace(self.config, tie_embeddings=False)
