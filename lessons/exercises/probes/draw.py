"""Random inputs from one seed: sizes, numbers, masks and ids, the same in every process."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

REFUSALS = (ValueError, TypeError)


class Draw:
    """Everything a probe needs at random. float64, so that right is right to many digits."""

    def __init__(self, seed: int):
        self.generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)

    def size(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both possible."""
        return int(torch.randint(low, high + 1, (), generator=self.generator))

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.generator, dtype=torch.float64))

    def normal(self, *shape: int, grad: bool = False) -> Tensor:
        return torch.randn(shape, generator=self.generator, dtype=torch.float64).requires_grad_(grad)

    def ids(self, low: int, high: int, *shape: int) -> Tensor:
        """Whole numbers from `low` to `high - 1`."""
        return torch.randint(low, high, shape, generator=self.generator)

    def coin(self, *shape: int, heads: float = 0.7) -> Tensor:
        """True with probability `heads`."""
        return torch.rand(shape, generator=self.generator) < heads

    def fill(self, module: nn.Module) -> nn.Module:
        """The module in float64, with every parameter at random: nothing is hidden by a zero or a one."""
        module.double()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(0.5 * self.normal(*parameter.shape))
        return module


class Marker(nn.Module):
    """In a dropout's place: a factor for each feature, the same in every process, that tells where it fell."""

    p = 0.5

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.linspace(0.25, 2.0, x.shape[-1], dtype=x.dtype)


def refusal(call: Callable[..., Any], *arguments: Any, **named: Any) -> Tensor:
    """The kind of the error: 1 for a ValueError, 2 for a TypeError, 0 where nothing is refused."""
    try:
        call(*arguments, **named)
    except REFUSALS as error:
        kind = next(kind for kind in REFUSALS if isinstance(error, kind))
        return torch.tensor(1 + REFUSALS.index(kind))
    return torch.tensor(0)


def gradients(output: Tensor, **inputs: Tensor) -> dict[str, Tensor]:
    """The gradient of a weighted sum of the output with respect to each input."""
    weights = torch.linspace(-1.0, 1.0, output.numel(), dtype=output.dtype).reshape(output.shape)
    found = torch.autograd.grad((output * weights).sum(), list(inputs.values()), allow_unused=True)
    zeros = {name: torch.zeros_like(value) for name, value in inputs.items()}
    return {
        f"the gradient of {name}": zeros[name] if gradient is None else gradient
        for name, gradient in zip(inputs, found, strict=True)
    }
