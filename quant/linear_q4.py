"""LinearQ4: a linear layer whose weight stays in ggml's four bits, as a GGUF brings it.

    y = x Ŵᵀ + b        Ŵ = d · q + m (ggml_blocks.py), made anew in forward and backward, in `compute_dtype`

What `Linear4bit` is for a model that was quantized here, this is for one that was published quantized: nothing is
rounded a second time.
"""

from typing import Any

import torch
from jaxtyping import Float, Float16, UInt8
from torch import Tensor, nn

from quant.ggml_blocks import BLOCK, check_blocks, decode_q4, encode_q4_0, encode_q4_1, expected_blocks
from quant.packed import PackedWeight, check_input
from quant.precision import under_autocast
from quant.product_q4 import LinearFromBlocks
from quant.tensor import Expected


class LinearQ4(PackedWeight):
    """Stands where an `nn.Linear` stood. Codes, scales and minimums are buffers (packed.py); the bias is a parameter.

    The constructor makes an empty layer, to be loaded into, or on the meta device to count its bytes; `from_blocks`
    takes what a GGUF holds, `from_linear` quantizes a layer.

    `minimum`         whether a block has a minimum m (Q4_1), or lies about 0 (Q4_0)
    `compute_dtype`   the type in which the product is made
    `dtype`           of the bias, and of the weight that `dequantized` gives

    Raises ValueError for sizes below 1 or rows that are no blocks of 32, TypeError for a `compute_dtype` of integers.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        minimum: bool = True,
        compute_dtype: torch.dtype = torch.bfloat16,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        nn.Module.__init__(self)  # PackedWeight's makes room for the codes of a codebook; only its rules are wanted
        if in_features < 1 or out_features < 1 or in_features % BLOCK:
            raise ValueError(
                f"a layer in blocks of {BLOCK} cannot have {in_features} inputs and {out_features} outputs"
            )
        if not compute_dtype.is_floating_point:
            raise TypeError(f"compute_dtype must be a floating-point type, not {compute_dtype}")
        self.in_features, self.out_features = in_features, out_features
        self.minimum, self.compute_dtype, self.weight_dtype = minimum, compute_dtype, dtype
        for name, (kind, size) in self.expected().items():
            self.register_buffer(name, torch.zeros(size, dtype=kind, device=device))
        if not minimum:
            self.register_buffer("minimums", None)
        self.bias = nn.Parameter(torch.zeros(out_features, dtype=dtype, device=device)) if bias else None

    @classmethod
    def from_blocks(
        cls,
        codes: UInt8[Tensor, "d_out bytes"],
        scales: Float16[Tensor, "d_out blocks"],
        minimums: Float16[Tensor, "d_out blocks"] | None = None,
        bias: Float[Tensor, "d_out"] | None = None,
        compute_dtype: torch.dtype = torch.bfloat16,
    ) -> "LinearQ4":
        """The layer of these blocks, which it keeps. Raises ValueError for tensors that do not belong together."""
        check_blocks(codes, scales, minimums, bias)
        d_out, d_in = len(codes), 2 * codes.shape[1]
        layer = cls(d_in, d_out, bias is not None, minimums is not None, compute_dtype, "meta")
        layer.codes, layer.scales, layer.minimums = codes, scales, minimums
        if bias is not None:
            layer.bias = nn.Parameter(bias.detach().clone())
        return layer

    @classmethod
    def from_linear(
        cls, linear: nn.Linear, minimum: bool = True, compute_dtype: torch.dtype = torch.bfloat16
    ) -> "LinearQ4":
        """The layer in four bits. `linear` stays as it is, and the bias is a copy.

        Raises TypeError for what is no nn.Linear, and ValueError as `encode_q4_1` does.
        """
        if not isinstance(linear, nn.Linear):
            raise TypeError(f"LinearQ4.from_linear takes an nn.Linear, not {type(linear).__name__}")
        blocks = (encode_q4_1 if minimum else encode_q4_0)(linear.weight)
        layer = cls.from_blocks(*blocks, linear.bias, compute_dtype).train(linear.training)
        layer.weight_dtype = linear.weight.dtype
        if linear.bias is not None:
            layer.bias.requires_grad_(linear.bias.requires_grad)
        return layer

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        """x Ŵᵀ + b, in the type of x; under autocast in `compute_dtype`. The gradient passes to x and b, never to W."""
        check_input(x, self.in_features)
        bias = None if self.bias is None else self.bias.to(self.compute_dtype)
        y = LinearFromBlocks.apply(x.to(self.compute_dtype), bias, self.codes, self.scales, self.minimums)
        return y if under_autocast(x) else y.to(x.dtype)

    def dequantized(self, dtype: torch.dtype | None = None) -> Float[Tensor, "d_out d_in"]:
        """Ŵ, made anew at every call, in the type that the weight had or in `dtype`."""
        return decode_q4(self.codes, self.scales, self.minimums, dtype or self.weight_dtype)

    def to_linear(self, dtype: torch.dtype | None = None) -> nn.Linear:
        """An ordinary layer that holds Ŵ."""
        weight = self.dequantized(dtype)
        linear = nn.Linear(self.in_features, self.out_features, self.bias is not None, "meta")
        linear.weight = nn.Parameter(weight)
        if self.bias is not None:
            linear.bias = nn.Parameter(self.bias.detach().to(weight.dtype, copy=True), self.bias.requires_grad)
        return linear.train(self.training)

    def expected(self) -> Expected:
        """Name, type and shape of every buffer."""
        return expected_blocks(self.out_features, self.in_features, self.minimum)

    @property
    def settings(self) -> dict[str, Any]:
        """How it was made: `LinearQ4.from_linear(linear, **layer.settings)` quantizes another layer alike."""
        return {"minimum": self.minimum, "compute_dtype": self.compute_dtype}

    @property
    def format(self) -> str:
        """Its name in ggml."""
        return "q4_1" if self.minimum else "q4_0"

    @property
    def nbytes(self) -> int:
        """Codes, scales, minimums and bias."""
        return sum(tensor.nbytes for tensor in (*self.parameters(), *self.buffers()))

    @property
    def bits_per_parameter(self) -> float:
        """5 with minimums, 4.5 without."""
        return 8 * sum(tensor.nbytes for tensor in self.buffers()) / (self.in_features * self.out_features)

    def extra_repr(self) -> str:
        sizes = f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"
        return f"{sizes}, {self.format.upper()}, compute_dtype={self.compute_dtype}"
