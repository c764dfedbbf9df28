"""DirectQ4: a linear layer whose four bits are read as they lie. It answers and is not trained.

    y = x Ŵᵀ + b        Ŵ = d · (q - 8) + (m + 8 d), block by block inside torch's kernel: it is nowhere in memory

A step of decoding multiplies one row, so it takes as long as its weights take to be read; here they are an eighth of float32.
`LinearQ4` keeps the same blocks, makes Ŵ for every product, and passes gradients. x, d and m + 8 d are rounded to bf16.

Bits     5 a weight: 4, and two constants of 16 for a block of 32
Source   torch's `_weight_int4pack_mm_for_cpu`
"""

import torch
from jaxtyping import Float, Float16, UInt8
from torch import Tensor, nn

from quant.ggml_blocks import BLOCK, check_blocks, decode_q4
from quant.packed import check_input

ROWS = 16
"""The kernel takes so many outputs together."""


class DirectQ4(nn.Module):
    """Stands where an `nn.Linear` stood, on a CPU.

    `codes`       as the kernel packs them
    `constants`   d and m + 8 d of every block
    """

    codes: Tensor
    constants: Tensor

    def __init__(self, codes: UInt8[Tensor, "d_out bytes"], constants: Tensor, bias: Float[Tensor, " d_out"] | None):
        super().__init__()
        self.out_features, self.in_features = len(codes), 2 * codes.shape[1]
        self.register_buffer("codes", codes)
        self.register_buffer("constants", constants)
        self.register_buffer("bias", bias)

    @classmethod
    def from_blocks(
        cls,
        codes: UInt8[Tensor, "d_out bytes"],
        scales: Float16[Tensor, "d_out blocks"],
        minimums: Float16[Tensor, "d_out blocks"] | None = None,
        bias: Float[Tensor, " d_out"] | None = None,
    ) -> "DirectQ4":
        """The layer of a GGUF's blocks: `load_pretrained(path, packed=DirectQ4.from_blocks)`.

        Raises ValueError for tensors that do not belong together, where the number of outputs is no multiple of 16, and for
        blocks that are not on a CPU.
        """
        check_blocks(codes, scales, minimums, bias)
        if len(codes) % ROWS or codes.device.type != "cpu":
            raise ValueError(
                f"the kernel reads {ROWS} rows together on a CPU, not {len(codes)} rows on {codes.device}: take LinearQ4"
            )
        q = decode_q4(codes, torch.ones_like(scales), torch.zeros_like(scales))  # d = 1 and m = 0 leave the codes
        d = scales.float()
        middle = torch.zeros_like(d) if minimums is None else minimums.float() + 8 * d
        constants = torch.stack([d, middle], dim=-1).transpose(0, 1).contiguous().bfloat16()
        kept = None if bias is None else bias.detach().clone()
        return cls(torch.ops.aten._convert_weight_to_int4pack_for_cpu(q.int(), 1), constants, kept)

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        """x Ŵᵀ + b, in the type of x. Raises ValueError where a gradient is asked for."""
        check_input(x, self.in_features)
        if torch.is_grad_enabled() and x.requires_grad:
            raise ValueError("a DirectQ4 answers and is not trained: take LinearQ4, which passes gradients")
        rows = x.reshape(-1, self.in_features).bfloat16()
        y = torch.ops.aten._weight_int4pack_mm_for_cpu(rows, self.codes, BLOCK, self.constants).to(x.dtype)
        return (y if self.bias is None else y + self.bias.to(x.dtype)).view(*x.shape[:-1], self.out_features)

    def _apply(self, fn, recurse: bool = True) -> "DirectQ4":  # type: ignore[no-untyped-def]
        """What casts a model leaves the constants in the kernel's type."""
        super()._apply(fn, recurse)
        self.constants = self.constants.bfloat16()
        return self

    @property
    def nbytes(self) -> int:
        """Codes, constants and bias."""
        return sum(buffer.nbytes for buffer in self.buffers())

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"
