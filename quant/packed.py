"""A packed weight inside a module: its codes and scales are buffers, saved, moved and copied with the model.

They are never trained and never rounded: no optimizer sees them, `.to(torch.bfloat16)` moves them and keeps their types,
and a file whose tensors have other types or sizes is refused.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from quant.codebooks import check_codebook
from quant.tensor import QuantizedTensor, check_block_size, check_tensors, expected_tensors, from_parts


def check_input(x: Tensor, in_features: int) -> None:
    """Raises TypeError for an input of integers, ValueError for one of another width."""
    if not x.is_floating_point():
        raise TypeError(f"the layer reads floating-point numbers, not {x.dtype}")
    if x.dim() == 0 or x.shape[-1] != in_features:
        raise ValueError(f"the layer reads {in_features} features, and x is {tuple(x.shape)}")


class PackedWeight(nn.Module):
    """Room for a weight of this shape, to be loaded into, or on the meta device to count its bytes.

    `codebook`, `block_size`, `double_quant`   as in `quantize_4bit`
    `dtype`                                    of the weight that is given back; nothing is kept in it
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        codebook: Shaped[Tensor, "*levels"],
        block_size: int,
        double_quant: bool,
        device: torch.device | str | None,
        dtype: torch.dtype,
    ):
        super().__init__()
        check_block_size(block_size)
        self.shape, self.weight_dtype = torch.Size(shape), dtype
        self.block_size, self.double_quant = block_size, double_quant
        for name, (kind, size) in self.expected().items():
            self.register_buffer(name, torch.zeros(size, dtype=kind, device=device))
        self.codebook = check_codebook(codebook).to(self.codes.device)

    @property
    def quantized(self) -> QuantizedTensor:
        """The weight as `dequantize_4bit` takes it."""
        parts = {name: getattr(self, name) for name in self.expected()}
        return from_parts(parts, self.block_size, self.shape, self.weight_dtype)

    def fill(self, quantized: QuantizedTensor) -> None:
        """Takes the tensors of a weight that was quantized with these settings."""
        for name, tensor in quantized.tensors().items():
            setattr(self, name, tensor)

    def expected(self) -> dict[str, tuple[torch.dtype, tuple[int, ...]]]:
        """Name, type and shape of every buffer."""
        return expected_tensors(self.shape.numel(), self.block_size, self.double_quant)

    def __getattr__(self, name: str) -> Any:
        if name == "weight":
            raise AttributeError(
                f"a {type(self).__name__} has no weight that could be trained or written: it is frozen in four bits. "
                "dequantized() gives a copy to read, to_linear() a layer to train"
            )
        return super().__getattr__(name)

    def register_parameter(self, name: str, param: nn.Parameter | None) -> None:
        if name == "weight":
            raise TypeError(
                f"a {type(self).__name__} cannot train a weight: it is frozen in four bits; to_linear() can be trained"
            )
        super().register_parameter(name, param)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "PackedWeight":
        """What moves or casts a module passes here: codes and scales keep their types."""
        before = {name: getattr(self, name) for name in self.expected()}
        super()._apply(fn, recurse)
        for name, exact in before.items():
            moved = getattr(self, name)
            if moved.dtype != exact.dtype:
                setattr(self, name, exact.to(moved.device))
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Strict about types too: torch would turn floats into codes without a word."""
        here = {name: state_dict[prefix + name] for name in self.expected() if prefix + name in state_dict}
        error_messages: list[str] = rest[-1]
        try:
            check_tensors(here, {name: kind for name, kind in self.expected().items() if name in here})
            broken = [name for name, part in here.items() if part.is_floating_point() and not part.isfinite().all()]
        except ValueError as error:
            error_messages.append(f"{prefix.rstrip('.')} cannot hold this 4-bit weight: {error}")
            return
        if broken:
            error_messages.append(f"{prefix}{broken[0]} is corrupted: it holds NaN or infinite values")
            return
        super()._load_from_state_dict(state_dict, prefix, *rest)
