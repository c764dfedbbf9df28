"""The decoder alone, as in GPT: a text is its own source, and every token guesses the next one.

    logits_t = W_out · Stack(x_0, ..., x_t)          softmax(logits_t) = p(x_{t+1} | x_{0..t})

Its layers are in causal_stack.py.

Paper     "Language Models are Unsupervised Multitask Learners", Radford et al. 2019 (GPT-2)
"""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from transformer.causal_stack import CausalStack
from transformer.config import TransformerConfig
from transformer.decoding import fast as fast_steps
from transformer.decoding import steps
from transformer.decoding.cache import PromptCache
from transformer.embedding import embed_tokens
from transformer.masks import causal_mask, places_in, prompt_mask, same_document
from transformer.rotary import rotation, unturned
from transformer.token_model import TokenModel, output_projection


class DecoderOnly(TokenModel):
    """Token ids in, logits of the token after each of them out. Raises ValueError for ids it cannot read.

    Rows are padded in front, and positions count from the first real token, by the ids (`prompt_mask`) or by `real`.
    """

    def __init__(self, config: TransformerConfig):
        super().__init__(config)
        if config.num_encoder_layers or config.num_segments:
            has = f"{config.num_encoder_layers} and {config.num_segments}"
            raise ValueError(f"a decoder-only model has no encoder layers and no segments, not {has}")
        self.decoder = CausalStack(config)
        self.output = output_projection(config)
        self.complete()

    def forward(
        self, source: Int[Tensor, "batch time"], real: Bool[Tensor, "batch time"] | None = None
    ) -> Float[Tensor, "batch time vocab"]:
        """Logits for the token after each of `source`."""
        return self.output(self.states(source, real))

    def states(
        self,
        source: Int[Tensor, "batch time"],
        real: Bool[Tensor, "batch time"] | None = None,
        cache: PromptCache | None = None,
        documents: Int[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch time d_model"]:
        """The last vector of each of `source`: what the output projection reads.

        `documents`   of each token, the number of the text that it belongs to, where several are packed into a row: each
                      sees its own alone, and its positions begin at 0
        """
        if cache is None or cache.length == 0:
            self.check_ids("source", source)
            x, mask = self.embed_source(source, real)
            if cache is not None:
                cache.begin(mask)
        else:
            x = embed_tokens(source, self.source_embedding, self.embedding_scale)
            mask = cache.advance(source.shape[1])
        positions = self.positions_of(mask, x.shape[1], documents)
        rotary = self.config.positions == "rotary"
        rotate = rotation(positions[..., 0], self.config, x.dtype) if rotary else unturned
        x = self.place(x, torch.zeros_like(x) if rotary else positions, self.source_norm)
        if documents is not None:
            mask = mask & same_document(documents)
        sees_all = cache is not None and x.shape[1] == 1 and not cache.padded  # no mask is cheaper than one of Trues
        visible = None if sees_all else mask & causal_mask(x.shape[1], mask.shape[-1] - x.shape[1], x.device)
        return self.decoder(x, visible, None if cache is None else cache.layers, rotate)[:, -source.shape[1] :]

    def decode(
        self,
        source: Int[Tensor, "batch time"],
        cache: PromptCache | None = None,
        real: Bool[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch time vocab"]:
        """Logits for the token after each of `source`. With a cache, `source` holds the new tokens only."""
        return self.output(self.states(source, real, cache))

    def embed_source(
        self, source: Int[Tensor, "batch time"], real: Bool[Tensor, "batch time"] | None = None
    ) -> tuple[Float[Tensor, "batch memory d_model"], Bool[Tensor, "batch 1 1 memory"]]:
        """The one place where a text becomes vectors and a mask. Positions are added after it."""
        real = prompt_mask(source, self.config.pad_id) if real is None else real
        if real.dtype != torch.bool:
            raise TypeError(
                f"real is boolean, True where a token is, not {real.dtype}; a decoder alone is trained on Texts, not on pairs"
            )
        x = embed_tokens(source, self.source_embedding, self.embedding_scale)
        return self.source_input(x, real[:, None, None, :])

    def positions_of(
        self, mask: Bool[Tensor, "batch 1 1 memory"], length: int, documents: Int[Tensor, "batch time"] | None = None
    ) -> Float[Tensor, "batch new d_model"]:
        """The positions of the last `length` places; padding in front takes none, and each of `documents` begins anew."""
        self.check_length("source", mask.shape[-1])
        index = (mask[:, 0, 0].cumsum(dim=1) - 1).clamp(min=0)
        if documents is not None:
            if documents.shape != index.shape:
                raise ValueError(
                    f"documents of {tuple(documents.shape)} tokens do not fit rows of {tuple(index.shape)}: "
                    "a prompt stands in front of a row, not of each text that is packed into it; do not pack"
                )
            index = places_in(documents)
        return self.source_positions(mask.shape[-1])[index[:, -length:]]

    def new_cache(self, max_length: int) -> PromptCache:
        """`max_length` is the number of tokens that may come after the prompt."""
        return PromptCache(self.config.num_decoder_layers, max_length)

    def start(self, source: Int[Tensor, "batch time"]) -> Int[Tensor, "batch time"]:
        """What every continuation begins with: the text itself."""
        return source

    def with_response(
        self, source: Int[Tensor, "batch source"], response: Int[Tensor, "batch time"]
    ) -> tuple[Int[Tensor, "batch text"], Bool[Tensor, "batch text"]]:
        """What `forward` and `states` are called with so that they read `response` after `source`, padded in front."""
        real = prompt_mask(source, self.config.pad_id), torch.ones_like(response, dtype=torch.bool)
        return torch.cat([source, response], dim=1), torch.cat(real, dim=1)

    def decoding(
        self, source: Int[Tensor, "batch time"], num_beams: int, room: int, use_cache: bool = True, fast: bool = False
    ) -> steps.Decoding:
        """How `generate` asks: the first tokens of every row, and what may come next (decoding/steps.py, fast.py)."""
        if fast:
            return fast_steps.continuing(self, source, num_beams, room)
        return steps.continuing(self, source, num_beams, room, use_cache)

    def token_matrices(self) -> tuple[Any, ...]:
        return self.source_embedding, self.output
