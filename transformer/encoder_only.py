"""The encoder alone, as in BERT: every token looks at every other, and each becomes a vector that knows its context.

    hidden = Encoder(norm(E[source] + segment + position))          scores = W_out norm(φ(W hidden)) for masked words

Nothing is generated. A task reads the vectors: a mean over a sentence, or a guess at the words that were masked out.

Paper     "BERT: Pre-training of Deep Bidirectional Transformers" (arXiv 1810.04805)
"""

from typing import Any

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer.add_norm import norm_of
from transformer.config import TransformerConfig
from transformer.encoder import Encoder
from transformer.feed_forward import ACTIVATIONS
from transformer.token_model import TokenModel


class EncoderOnly(TokenModel):
    """Token ids in, one vector for each out; with an `output`, whatever it makes of the vectors.

    `output`   a head, for example `MaskedWordHead`; without one the vectors come out as they are

    Raises ValueError for ids or segments that it cannot read.
    """

    def __init__(self, config: TransformerConfig, output: nn.Module | None = None):
        super().__init__(config)
        if config.num_decoder_layers:
            raise ValueError(f"an encoder-only model has no decoder layers, not {config.num_decoder_layers}")
        if config.positions == "rotary":
            raise ValueError("positions 'rotary' belong to a decoder-only model")
        if config.num_segments:
            self.segment_embedding = nn.Embedding(config.num_segments, config.d_model)
        self.encoder = Encoder(config)
        self.output = nn.Identity() if output is None else output
        self.complete()

    def forward(
        self, source: Int[Tensor, "batch source"], segments: Int[Tensor, "batch source"] | None = None
    ) -> Float[Tensor, "batch source features"]:
        """What `output` makes of every word's vector. Without `segments` all tokens are of segment 0."""
        return self.output(self.states(source, segments))

    def states(
        self, source: Int[Tensor, "batch source"], segments: Int[Tensor, "batch source"] | None = None
    ) -> Float[Tensor, "batch source d_model"]:
        """The last vector of every word: what `output` reads."""
        hidden, _ = self.encode(source, segments)
        return hidden[:, -source.shape[1] :]

    def encode(
        self, source: Int[Tensor, "batch source"], segments: Int[Tensor, "batch source"] | None = None
    ) -> tuple[Float[Tensor, "batch memory d_model"], Bool[Tensor, "batch 1 1 memory"]]:
        """The vectors, those of whatever stands in front of the words too, and which of them stand for real tokens."""
        self.check_ids("source", source)
        x, mask = self.embed_source(source)
        x = self.add_segments(x, source, segments)
        return self.encoder(self.place_source(x), mask), mask

    def add_segments(self, x: Tensor, source: Tensor, segments: Tensor | None) -> Tensor:
        if self.config.num_segments == 0:
            if segments is not None:
                raise ValueError("segments came, and the config has num_segments 0")
            return x
        if segments is None:
            segments = source.new_zeros(source.shape)
        if segments.shape != source.shape:
            raise ValueError(f"segments {tuple(segments.shape)} do not fit the source {tuple(source.shape)}")
        lowest, highest = (int(bound) for bound in segments.aminmax())
        if lowest < 0 or highest >= self.config.num_segments:
            raise ValueError(f"segments are 0..{self.config.num_segments - 1}, not {lowest} to {highest}")
        in_front = x.shape[1] - source.shape[1]  # what source_input put before the words is of segment 0
        return x + self.segment_embedding(F.pad(segments, (in_front, 0)))

    def token_matrices(self) -> tuple[Any, ...]:
        head = (self.output.words,) if isinstance(self.output, MaskedWordHead) else ()
        return self.source_embedding, *head


class MaskedWordHead(nn.Module):
    """What stood at the masked places? A layer of its own, then the vocabulary (tied to the embedding)."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.dense = nn.Linear(config.d_model, config.d_model)
        self.norm = norm_of(config)
        self.words = nn.Linear(config.d_model, config.vocab_size)
        self.activation = config.activation

    def forward(self, hidden: Float[Tensor, "batch source d_model"]) -> Float[Tensor, "batch source vocab"]:
        """W_out norm(φ(W hidden)): a score for every word at every place."""
        return self.words(self.norm(ACTIVATIONS[self.activation](self.dense(hidden))))
