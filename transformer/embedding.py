"""Input embedding: what a token is, plus where it stands.

    x_t = √d_model · E[token_t] + position_t          `embed_tokens`, then `add_positions`

Between the two, something may be put in front of a source (`SourceInput`): it then takes positions like the words.
Sinusoidal positions are a formula; learned positions are a table. Both are called with a length and an offset. Rotary
positions add nothing here (rotary.py).

    PE[t, 2i] = sin(t / 10000^{2i/d_model})        PE[t, 2i+1] = cos(t / 10000^{2i/d_model})

Paper     "Attention Is All You Need" (arXiv 1706.03762), sections 3.4 and 3.5
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from transformer.config import TransformerConfig

Offset = int | Int[Tensor, "batch 1"]
"""The position of the first place: one for all rows, or one for each."""


def embed_tokens(
    ids: Int[Tensor, "*batch time"], table: Callable[[Tensor], Tensor], scale: float
) -> Float[Tensor, "*batch time d_model"]:
    """√d_model · E[token]. `scale` is √d_model, or 1 where the config says scale_embeddings=False."""
    return scale * table(ids)


def add_positions(
    x: Float[Tensor, "batch time d_model"], positions: Float[Tensor, "*batch time d_model"]
) -> Float[Tensor, "batch time d_model"]:
    """x_t + position_t, with the same positions for all rows or with its own for each."""
    return x + positions


def sinusoidal_positional_encoding(
    length: int, d_model: int, dtype: torch.dtype | None = None
) -> Float[Tensor, "length d_model"]:
    """The paper's position waves; an odd `d_model` ends with a sine. Computed in float64, given in `dtype` (None: torch's default)."""
    time = torch.arange(length, dtype=torch.float64)[:, None]
    even = torch.arange(0, d_model, 2, dtype=torch.float64)
    angle = time / 10000 ** (even / d_model)
    encoding = torch.empty(length, d_model, dtype=torch.float64)
    encoding[:, 0::2] = angle.sin()
    encoding[:, 1::2] = angle.cos()[:, : d_model // 2]
    return encoding.to(dtype or torch.get_default_dtype())


class SinusoidalPositions(nn.Module):
    """Positions that need no training."""

    table: Tensor

    def __init__(self, max_length: int, d_model: int):
        super().__init__()
        self.register_buffer("table", sinusoidal_positional_encoding(max_length, d_model), persistent=False)

    def forward(self, length: int, offset: Offset = 0) -> Float[Tensor, "*batch length d_model"]:
        """The positions offset, offset + 1, ..., so many as `length`."""
        return rows(self.table, length, offset)

    def _apply(self, fn: Callable, recurse: bool = True) -> "SinusoidalPositions":
        # A table that was rounded to fp32 stays rounded after .double(): make it anew in the new type instead.
        super()._apply(fn, recurse)
        exact = sinusoidal_positional_encoding(self.table.shape[0], self.table.shape[1], self.table.dtype)
        self.table = exact.to(self.table.device)
        return self


class LearnedPositions(nn.Module):
    """One trained vector for each position, as in BERT and GPT-2."""

    def __init__(self, max_length: int, d_model: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(max_length, d_model))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, length: int, offset: Offset = 0) -> Float[Tensor, "*batch length d_model"]:
        """The positions offset, offset + 1, ..., so many as `length`."""
        return rows(self.weight, length, offset)


class RotaryPositions(nn.Module):
    """The numbers of the positions themselves: rotary.py makes turns of them, and nothing is added."""

    numbers: Tensor

    def __init__(self, max_length: int, d_model: int):
        super().__init__()
        self.register_buffer("numbers", torch.arange(max_length)[:, None], persistent=False)

    def forward(self, length: int, offset: Offset = 0) -> Float[Tensor, "*batch length 1"]:
        """offset, offset + 1, ..., so many as `length`."""
        return rows(self.numbers, length, offset).double()


PositionModule = SinusoidalPositions | LearnedPositions | RotaryPositions


def rows(
    table: Shaped[Tensor, "max_length d_model"], length: int, offset: Offset
) -> Shaped[Tensor, "*batch length d_model"]:
    if isinstance(offset, int):
        return table[offset : offset + length]
    return table[offset + torch.arange(length, device=table.device)]


def positions(config: TransformerConfig) -> PositionModule:
    kinds: dict[str, type[PositionModule]] = {"sinusoidal": SinusoidalPositions, "learned": LearnedPositions}
    return (kinds | {"rotary": RotaryPositions})[config.positions](config.max_length, config.d_model)


class SourceInput(nn.Module):
    """What the encoder is given: here, the token vectors as they are.

    It is a module of its own so that something may be put in front of the words.
    """

    def forward(
        self, x: Float[Tensor, "batch source d_model"], mask: Bool[Tensor, "batch 1 1 source"]
    ) -> tuple[Float[Tensor, "batch source d_model"], Bool[Tensor, "batch 1 1 source"]]:
        """Vectors and mask, both as long as what stands in front of the words makes them."""
        return x, mask
