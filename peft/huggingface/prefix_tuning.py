"""Prefixes in Hugging Face PEFT's folders, one matrix for all layers; and in its models, where words stand behind them.

    prompt_embeddings   (p, 2 L d)    [P_K^1, P_V^1, P_K^2, P_V^2, ..., P_K^L, P_V^L]

d is d_model, or kv_heads · d_head where heads share keys. HF puts the matrix into the cache, behind the turns of rotary
positions: its keys are not turned, and words are turned from p on. So it is here.

A model of one stack has one such matrix, an encoder-decoder one for each of its three kinds of attention.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.config import PeftConfig, config_class
from peft.frame.layers import AdaptedLayer
from peft.frame.paths import base_modules, site_of
from peft.huggingface.virtual_tokens import KEY, VirtualTokenFiles
from transformer.config import TransformerConfig
from transformer.embedding import Offset


@dataclass(frozen=True, kw_only=True)
class PrefixFiles(VirtualTokenFiles):
    """A PrefixTuningConfig's way into a folder and back, and what makes a model of one stack the same as in HF.

    `shift_positions`   whether words stand behind the prefix; by default on models of one stack, as HF has it, and not on
                        encoder-decoders, as the paper's code has it
    """

    shift_positions: bool | None = None
    ours: ClassVar[tuple[str, ...]] = ("sites", "shift_positions")

    def width_and_heads(self, base: TransformerConfig) -> tuple[int, int]:
        """Of a position's keys, which may have fewer heads than its queries."""
        return base.kv_heads * base.d_head, base.kv_heads

    def submodules(self, model: nn.Module) -> int:
        """In how many stacks prefixes are: the encoder and the decoder, where there are both."""
        return 2 if model.config.num_encoder_layers and model.config.num_decoder_layers else 1

    def to_hf(self, tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], PeftConfig]:
        """Keys and values, packed, and the config of a prefix tuning without a network."""
        kept = config_class("PREFIX_TUNING", type(self).__name__)
        direct = {field.name: getattr(self, field.name) for field in fields(kept)}
        direct |= {"prefix_projection": False, "encoder_hidden_size": None}
        return packed(tensors, self.num_transformer_submodules == 1), kept(**direct)

    def from_hf(self, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Each layer's own keys and values."""
        return unpacked(tensors, wanted, self.num_transformer_submodules == 1)

    def shifted(self, model: nn.Module) -> dict[str, AdaptedLayer]:
        """Layers that move the words behind the prefix, where they stand there."""
        if self.shift_positions is False or (self.shift_positions is None and self.num_transformer_submodules != 1):
            return {}
        self.check_room(model)
        return {
            path: ShiftedPositions(module, self.num_virtual_tokens)
            for path, module in base_modules(model)
            if path in ("source_positions", "target_positions")
        }


def matrices(names: Iterable[str], single: bool) -> dict[str, list[str]]:
    """Name of a matrix → the layers' prefixes that it holds, from the first layer to the last."""
    found: dict[str, list[str]] = {}
    for name in names:
        if name.endswith(".attend.prefix"):
            site = site_of(name.removeprefix("base_model.model."))
            found.setdefault(KEY if single else f"{site}.{KEY}", []).append(name)
    return found


def packed(tensors: Mapping[str, Tensor], single: bool) -> dict[str, Tensor]:
    """The layers' prefixes side by side."""
    groups = matrices(tensors, single)
    inside = {name for names in groups.values() for name in names}
    rest = {name: tensor for name, tensor in tensors.items() if name not in inside}
    return rest | {matrix: torch.cat([tensors[name] for name in names], dim=1) for matrix, names in groups.items()}


def unpacked(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], single: bool) -> dict[str, Tensor]:
    """The inverse of `packed`. Raises ValueError for a matrix that does not hold this base's layers."""
    if not single and KEY in tensors:
        raise ValueError(
            f"{KEY} is one matrix: on an encoder-decoder HF puts prefixes before the decoder's "
            "self-attention alone, and in other layers than it says; it cannot be read as three prefixes"
        )
    result = dict(tensors)
    for matrix, names in matrices(wanted, single).items():
        if matrix not in tensors:
            raise ValueError(f"missing {matrix}; there are {', '.join(sorted(tensors))}")
        rows, width = wanted[names[0]].shape
        if tensors[matrix].dim() != 2 or tensors[matrix].shape[1] != len(names) * width:
            raise ValueError(
                f"{matrix} is {tuple(tensors[matrix].shape)}, this base needs {(rows, len(names) * width)}: "
                f"{rows} keys and values in each of {len(names)} layers"
            )
        result |= dict(zip(names, result.pop(matrix).split(width, dim=1), strict=True))
    return result


class ShiftedPositions(AdaptedLayer):
    """Around the positions: the words begin at p, as if the prefix had been read before them."""

    merges = False

    def __init__(self, base: nn.Module, shift: int):
        super().__init__(base)
        self.shift = shift

    def forward(self, length: int, offset: Offset = 0) -> Float[Tensor, "*batch length d_model"]:
        """The base's positions from offset + shift on. Raises ValueError where there are too few."""
        tokens = length + (offset if isinstance(offset, int) else int(offset.max()))
        there = len(self.base(tokens + self.shift))
        if there < tokens + self.shift:
            raise ValueError(
                f"{tokens} tokens behind a prefix of {self.shift} need {tokens + self.shift} positions; there are {there}"
            )
        encoding: Tensor = self.base(length, offset + self.shift)
        return encoding
