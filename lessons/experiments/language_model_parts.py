"""Lesson 29: how one part of a language model's blocks is put back to what it was in 2017, in all layers, weights untouched."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from transformer import LayerNorm, RMSNorm
from transformer.attention import Attend
from transformer.embedding import RotaryPositions, SinusoidalPositions
from transformer.feed_forward import FeedForward


class InTurns(Attend):
    """The mistake: heads of queries take the shared keys in turns, 0 1 2 0 1 2, not as neighbours."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        share = query.shape[1] // key.shape[1]
        return super().forward(query, key.repeat(1, share, 1, 1), value.repeat(1, share, 1, 1), mask)


class From(RotaryPositions):
    """Positions that begin at `first`; with `still`, all are 0: nothing is turned."""

    first, still = 0, False

    def forward(self, length: int, offset: Any = 0) -> Tensor:
        places = super().forward(length, offset) + self.first
        return 0 * places if self.still else places


def positions(model: Any, first: int = 0, still: bool = False) -> None:
    model.source_positions = From(model.config.max_length, model.config.d_model)
    model.source_positions.first, model.source_positions.still = first, still


def added_sines(model: Any) -> None:
    """The paper's positions: added to the words, which are multiplied by √d_model; nothing is turned."""
    shape = model.config
    model.source_positions = SinusoidalPositions(shape.max_length, shape.d_model)
    model.config = replace(shape, positions="sinusoidal")
    model.embedding_scale = shape.d_model**0.5


def layer_norms(model: nn.Module) -> None:
    """LayerNorm in the place of every RMSNorm, with its gain and no bias: the mean is taken off too."""
    for module in list(model.modules()):
        for name, norm in list(module.named_children()):
            if isinstance(norm, RMSNorm):
                new = LayerNorm(len(norm.weight), norm.eps)
                new.weight = norm.weight
                setattr(module, name, new)


def each_layer(change: Callable[[Any], None]) -> Callable[[Any], None]:
    def everywhere(model: Any) -> None:
        for layer in model.decoder.layers:
            change(layer)

    return everywhere


def post_norm(layer: Any) -> None:
    layer.self_attention_norm.order = layer.feed_forward_norm.order = "post"


def no_gate(layer: Any) -> None:
    layer.feed_forward.__class__ = FeedForward


def relu(layer: Any) -> None:
    layer.feed_forward.activation = "relu"


def in_turns(layer: Any) -> None:
    layer.self_attention.attend.__class__ = InTurns


PARTS: dict[str, Callable[[Any], None]] = {
    "as it is": lambda model: None,
    "LayerNorm": layer_norms,
    "post-norm": each_layer(post_norm),
    "no positions": lambda model: positions(model, still=True),
    "sines added": added_sines,
    "ReLU": each_layer(relu),
    "no gate": each_layer(no_gate),
    "heads in turns": each_layer(in_turns),
}
"""What is put back to the paper's, and one mistake (the last)."""
