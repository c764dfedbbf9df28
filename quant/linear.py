"""Linear4bit: a linear layer whose weight is frozen in four bits.

    y = x Ŵᵀ + b        computed in `compute_dtype`, and given back in the type of x
                       (under autocast it stays as computed: the next product would only cast it back)

Paper     QLoRA (arXiv 2305.14314), equation 5
"""

from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from quant.codebooks import NF4_CODEBOOK, codebook_name
from quant.packed import PackedWeight, check_input
from quant.precision import under_autocast
from quant.product import LinearFromCodes
from quant.quantize import dequantize_4bit, quantize_4bit


class Linear4bit(PackedWeight):
    """Stands where an `nn.Linear` stood. Codes and scales are buffers (packed.py); the bias stays a parameter.

    The constructor makes an empty layer, to be loaded into, or on the meta device to count its bytes; `from_linear`
    quantizes a layer.

    `codebook`, `block_size`, `double_quant`   as in `quantize_4bit`
    `compute_dtype`                            the type in which the product is made
    `dtype`                                    of the bias, and of the weight that `dequantized` gives

    Raises ValueError for sizes below 1, TypeError for a `compute_dtype` of integers, and what `quantize_4bit` raises.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        codebook: Shaped[Tensor, "*levels"] = NF4_CODEBOOK,
        block_size: int = 64,
        compute_dtype: torch.dtype = torch.bfloat16,
        double_quant: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        if in_features < 1 or out_features < 1:
            raise ValueError(f"a layer needs in_features and out_features >= 1, not {in_features} and {out_features}")
        if not compute_dtype.is_floating_point:
            raise TypeError(f"compute_dtype must be a floating-point type, not {compute_dtype}")
        super().__init__((out_features, in_features), codebook, block_size, double_quant, device, dtype)
        self.in_features, self.out_features = in_features, out_features
        self.compute_dtype = compute_dtype
        self.bias = nn.Parameter(torch.zeros(out_features, dtype=dtype, device=device)) if bias else None

    @classmethod
    def from_linear(
        cls,
        linear: nn.Linear,
        codebook: Shaped[Tensor, "*levels"] = NF4_CODEBOOK,
        block_size: int = 64,
        compute_dtype: torch.dtype = torch.bfloat16,
        double_quant: bool = True,
    ) -> "Linear4bit":
        """The layer in four bits. `linear` stays as it is, and the bias is a copy. On the meta device it is counted only.

        Raises TypeError for what is no nn.Linear, and what `quantize_4bit` raises.
        """
        if not isinstance(linear, nn.Linear):
            already = " (it is quantized already)" if isinstance(linear, Linear4bit) else ""
            raise TypeError(f"Linear4bit.from_linear takes an nn.Linear, not {type(linear).__name__}{already}")
        weight, bias = linear.weight, linear.bias
        settings = (codebook, block_size, compute_dtype, double_quant)
        layer = cls(linear.in_features, linear.out_features, bias is not None, *settings, weight.device, weight.dtype)
        layer.train(linear.training)
        if weight.is_meta:
            return layer
        layer.fill(quantize_4bit(weight, codebook, block_size, double_quant))
        if bias is not None:
            layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=bias.requires_grad)
        return layer

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        """x Ŵᵀ + b, in the type of x; under autocast in `compute_dtype`. The gradient passes to x and b, never to W."""
        check_input(x, self.in_features)
        weight = self.quantized
        bias = None if self.bias is None else self.bias.to(self.compute_dtype)
        y = LinearFromCodes.apply(x.to(self.compute_dtype), bias, weight, *weight.tensors().values())
        return y if under_autocast(x) else y.to(x.dtype)

    def dequantized(self, dtype: torch.dtype | None = None) -> Float[Tensor, "d_out d_in"]:
        """Ŵ, made anew at every call, in the type that the weight had or in `dtype`."""
        return dequantize_4bit(self.quantized, dtype)

    def to_linear(self, dtype: torch.dtype | None = None) -> nn.Linear:
        """An ordinary layer that holds Ŵ."""
        weight = self.dequantized(dtype)
        linear = nn.Linear(self.in_features, self.out_features, self.bias is not None, "meta")
        linear.weight = nn.Parameter(weight)
        if self.bias is not None:
            linear.bias = nn.Parameter(self.bias.detach().to(weight.dtype, copy=True), self.bias.requires_grad)
        return linear.train(self.training)

    @property
    def settings(self) -> dict[str, Any]:
        """How it was made: `Linear4bit.from_linear(linear, **layer.settings)` quantizes another layer alike."""
        names = ("codebook", "block_size", "compute_dtype", "double_quant")
        return {name: getattr(self, name) for name in names}

    @property
    def nbytes(self) -> int:
        """Codes, scales, codebook and bias."""
        return sum(tensor.nbytes for tensor in (*self.parameters(), *self.buffers()))

    def extra_repr(self) -> str:
        return (
            f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, "
            f"codebook={codebook_name(self.codebook)}, block_size={self.block_size}, "
            f"double_quant={self.double_quant}, compute_dtype={self.compute_dtype}"
        )
