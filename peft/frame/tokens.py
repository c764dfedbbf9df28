"""Rows of their own for a few tokens: what lets a frozen base learn a symbol that pretraining never saw.

    E'[k] = rows[j] if k is the j-th trained token, else E[k]          in the embeddings and, tied, in the output

Trains    (number of tokens) · d_model, counted apart          Merges   yes: the rows are written into the matrix
Source    `trainable_token_indices` of the published LoraConfig
"""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from peft.frame.config import base_modules
from peft.frame.layers import AdaptedLayer


class TokenRows(AdaptedLayer):
    """Around an embedding or the output projection: the trained tokens use `rows`, all others the base's matrix."""

    def __init__(self, base: nn.Module, original: nn.Module, tokens: Tensor, rows: nn.Parameter):
        super().__init__(base)
        self.original = (original,)  # a tuple, so that it is not registered a second time
        self.register_buffer("tokens", tokens, persistent=False)
        self.rows = rows

    def forward(self, x: Tensor) -> Tensor:
        y = self.base(x)
        rows = self.rows.to(y.dtype)
        if isinstance(self.original[0], nn.Embedding):
            match = torch.eq(x.unsqueeze(-1), self.tokens)
            return torch.where(match.any(dim=-1, keepdim=True), rows[match.int().argmax(dim=-1)], y)
        logits = nn.functional.linear(x.to(y.dtype), rows)
        if self.original[0].bias is not None:
            logits = logits + self.original[0].bias[self.tokens]
        return y.index_copy(-1, self.tokens, logits.to(y.dtype))

    def delta(self, x: Tensor) -> Tensor:
        return self(x) - self.original[0](x)

    def merged(self) -> nn.Module:
        return self.base.merged() if isinstance(self.base, AdaptedLayer) else self.base

    def own_parameters(self) -> dict[str, nn.Parameter]:
        return self.base.own_parameters() if isinstance(self.base, AdaptedLayer) else {}


def check_tokens(tokens: Collection[int], vocab: int) -> None:
    if len(set(tokens)) != len(tokens) or not all(0 <= token < vocab for token in tokens):
        raise ValueError(f"trainable_token_indices {tokens} must be different ids of the vocabulary 0..{vocab - 1}")


def matrices_of_tokens(model: nn.Module) -> list[dict[str, nn.Module]]:
    """The modules that hold a row for every token, grouped by the matrix that they share (one group if it is tied)."""
    groups: dict[int, dict[str, nn.Module]] = {}
    for path, module in base_modules(model):
        if (isinstance(module, nn.Embedding) and path.endswith("embedding")) or path == "output":
            groups.setdefault(id(module.weight), {})[path] = module
    return list(groups.values())
