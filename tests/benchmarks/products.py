"""How long a program's matrix products take by themselves: they are noted while it runs, and repeated without the rest."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

PRODUCTS = {
    torch.ops.aten.mm.default: torch.mm,
    torch.ops.aten.bmm.default: torch.bmm,
    torch.ops.aten.addmm.default: torch.mm,
}


class Products(TorchDispatchMode):
    """Notes the operands of every matrix product; operands of one shape, layout and type are kept once."""

    def __init__(self) -> None:
        super().__init__()
        self.operands: dict[tuple, Tensor] = {}
        self.calls: list[tuple[Callable[[Tensor, Tensor], Tensor], Tensor, Tensor]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in PRODUCTS:
            left, right = (self.like(x) for x in args[-2:])
            self.calls.append((PRODUCTS[func], left, right))
        return func(*args, **(kwargs or {}))

    def like(self, x: Tensor) -> Tensor:
        key = (tuple(x.shape), x.stride(), x.dtype)
        if key not in self.operands:
            self.operands[key] = x.detach().clone()
        return self.operands[key]


def only_products(program: Callable[[], object]) -> Callable[[], None]:
    """A program that multiplies what `program` multiplies, and does nothing else."""
    noted = Products()
    with noted:
        program()

    @torch.no_grad()
    def again() -> None:
        for multiply, left, right in noted.calls:
            multiply(left, right)

    return again
