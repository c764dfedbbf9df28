"""What every model begins with: token ids are checked, become vectors, and learn where they stand.

x = dropout(√d_model · E[token] + position)          with a LayerNorm on the sum where `norm_embeddings` asks for it
"""

import math
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer.add_norm import norm_of
from transformer.config import TransformerConfig
from transformer.dropout import Dropout
from transformer.embedding import Offset, SourceInput, add_positions, embed_tokens, positions
from transformer.fused import put_twins
from transformer.masks import padding_mask
from transformer.stack import Stack


class TokenModel(nn.Module):
    """The source's way in, the checks, and the first weights. Raises ValueError for ids it cannot read."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.source_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.source_positions = positions(config)
        self.source_input = SourceInput()
        self.source_norm = embedding_norm(config)
        self.dropout = Dropout(config.dropout)
        self.embedding_scale = math.sqrt(config.d_model) if config.scale_embeddings else 1.0

    def embed_source(
        self, source: Int[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch memory d_model"], Bool[Tensor, "batch 1 1 memory"]]:
        """The one place where a source becomes vectors and a mask. Positions are added after it, and then dropout falls.

        The vectors are `embedding_scale` times the rows of `source_embedding`; both go through `source_input`.
        """
        x = embed_tokens(source, self.source_embedding, self.embedding_scale)
        return self.source_input(x, padding_mask(source, self.config.pad_id))

    def place_source(
        self, x: Float[Tensor, "batch memory d_model"], offset: Offset = 0
    ) -> Float[Tensor, "batch memory d_model"]:
        """Adds the positions, those of whatever stands in front of the words included; the first one is `offset`."""
        self.check_length("source", x.shape[1] + (offset if isinstance(offset, int) else int(offset.max())))
        return self.place(x, self.source_positions(x.shape[1], offset), self.source_norm)

    def place(self, x: Tensor, where: Tensor, norm: nn.Module) -> Tensor:
        """Every vector learns where it stands: the sum, its norm where there is one, dropout."""
        return self.dropout(norm(add_positions(x, where)))

    def check_length(self, name: str, length: int) -> None:
        if length > self.config.max_length:
            raise ValueError(f"the {name} has {length} positions; max_length is {self.config.max_length}")

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

    def gradient_checkpointing(self, enabled: bool = True) -> None:
        """Trades time for memory: activations inside a layer are computed again in the backward pass (stack.py)."""
        for module in self.modules():
            if isinstance(module, Stack):
                module.gradient_checkpointing = enabled

    def complete(self) -> None:
        """The last line of every model's `__init__`: draws the first weights, and puts faster twins in place if asked to."""
        self.reset_parameters()
        put_twins(self, self.config)

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

    def token_matrices(self) -> tuple[Any, ...]:
        """The modules that hold a row for every token. Where the config ties them, they hold the first one's matrix."""
        raise NotImplementedError

    def tie_weights(self) -> None:
        """Lets the model's matrices of tokens be one, where its config says so."""
        if self.config.tie_embeddings:
            first, *others = self.token_matrices()
            for module in others:
                module.weight = first.weight

    def untie_weights(self) -> None:
        """Each of them gets a matrix of its own, with the numbers that it has now; an output gets the bias that belongs to it."""
        for module in self.token_matrices():
            module.weight = nn.Parameter(module.weight.detach().clone(), module.weight.requires_grad)
            if isinstance(module, nn.Linear) and module.bias is None and self.config.bias:
                module.bias = nn.Parameter(module.weight.new_zeros(self.config.vocab_size))
        self.config = replace(self.config, tie_embeddings=False)


def embedding_norm(config: TransformerConfig) -> nn.Module:
    return norm_of(config) if config.norm_embeddings else nn.Identity()


def output_projection(config: TransformerConfig) -> nn.Linear:
    """From vectors to a logit for each token of the vocabulary."""
    bias = config.output_bias or (config.bias and not config.tie_embeddings)
    return nn.Linear(config.d_model, config.vocab_size, bias=bias)
