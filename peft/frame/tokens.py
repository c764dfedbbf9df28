"""Rows of their own for a few tokens: what lets a frozen base learn a symbol that pretraining never saw.

    E'[k] = rows[j] if k is the j-th trained token, else E[k]          in the embeddings and, tied, in the output

Trains    (number of tokens) · d_model, counted apart          Merges   yes: the rows are written into the matrix
Source    `trainable_token_indices` of Hugging Face PEFT's LoraConfig
"""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from peft.frame.casting import adapter_dtype
from peft.frame.paths import base_modules


class TokenRows(nn.Module):
    """Stands in the slot of an embedding or of the output projection, beside a technique's layer."""

    def __init__(self, tokens: Tensor, rows: nn.Parameter):
        super().__init__()
        self.register_buffer("tokens", tokens, persistent=False)
        self.rows = rows

    def forward(self, base: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """y with what the trained tokens' own rows give: their vectors for ids x, their logits for vectors x."""
        rows = self.rows.to(y.dtype)
        if isinstance(base, nn.Embedding):
            match = torch.eq(x.unsqueeze(-1), self.tokens)
            return torch.where(match.any(dim=-1, keepdim=True), rows[match.int().argmax(dim=-1)], y)
        logits = nn.functional.linear(x.to(y.dtype), rows)
        if base.bias is not None:
            logits = logits + base.bias[self.tokens]
        return y.index_copy(-1, self.tokens, logits.to(y.dtype))

    def change(self, weight: Tensor) -> Tensor:
        """What the rows add to those of the base's matrix: several adapters' changes are summed."""
        return (self.rows - weight[self.tokens]).detach()


def token_rows(model: nn.Module, indices: Collection[int]) -> list[tuple[list[str], TokenRows]]:
    """For each matrix that has a row for every token: the paths of the modules that share it, and the rows for them.

    Raises ValueError where there is no such matrix, and for what is no token.
    """
    if not (groups := matrices_of_tokens(model)):
        raise ValueError(
            f"trainable_token_indices {indices}: {type(model).__name__} has no matrices of tokens; "
            "a base says with `token_matrices()` which they are"
        )
    found = []
    for group in groups:
        weight = next(iter(group.values())).weight
        check_tokens(indices, weight.shape[0])
        tokens = torch.tensor(indices, device=weight.device)
        rows = nn.Parameter(weight.detach()[tokens].to(adapter_dtype(model)))
        found.append((list(group), TokenRows(tokens, rows)))
    return found


def check_tokens(tokens: Collection[int], vocab: int) -> None:
    if len(set(tokens)) != len(tokens) or not all(0 <= token < vocab for token in tokens):
        raise ValueError(f"trainable_token_indices {tokens} must be different ids of the vocabulary 0..{vocab - 1}")


def matrices_of_tokens(model: nn.Module) -> list[dict[str, nn.Module]]:
    """The modules that hold a row for every token, grouped by the matrix that they share (one group if it is tied)."""
    groups: dict[int, dict[str, nn.Module]] = {}
    tables = {id(getattr(module, "adapted_base", module)) for module in getattr(model, "token_matrices", tuple)()}
    for path, module in base_modules(model):
        if id(module) in tables:
            groups.setdefault(id(module.weight), {})[path] = module
    return list(groups.values())
