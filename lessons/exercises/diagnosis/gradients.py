"""Does the gradient belong to the function? The forward pass may be right and the backward pass wrong.

(f(x + h v) - f(x - h v)) / 2h  ≈  ∇f(x) · v        for a random direction v, in float64
"""

from collections.abc import Callable

import torch
from torch import Tensor

STEP = 1e-6


def assert_gradients_flow(function: Callable[..., Tensor], name: str = "the output", **inputs: Tensor) -> None:
    """Compares autograd with differences of `function(**inputs)` itself, for every input that is given by name.

    Raises AssertionError naming the input whose gradient is missing, not finite or wrong.
    """
    __tracebackhide__ = True
    leaves = {key: value.detach().double().clone().requires_grad_() for key, value in inputs.items()}
    output = function(**leaves)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(output.shape, dtype=torch.float64, generator=generator)
    if output.grad_fn is None:
        raise AssertionError(
            f"gradient: {name} is right, but no gradient flows from it: is there a .detach(), .data, .item(), "
            "torch.tensor(...) or torch.no_grad()?"
        )
    gradients = torch.autograd.grad((output * weight).sum(), list(leaves.values()), allow_unused=True)
    for (key, leaf), gradient in zip(leaves.items(), gradients, strict=True):
        if gradient is None:
            raise AssertionError(
                f"gradient: {name} is right, but no gradient reaches {key}: is it detached on the way?"
            )
        if not gradient.isfinite().all():
            raise AssertionError(f"gradient: {name} is right, but the gradient of {key} is not finite")
        direction = torch.randn(leaf.shape, dtype=torch.float64, generator=generator)
        with torch.no_grad():
            ahead, behind = (function(**{**leaves, key: leaf + s * STEP * direction}) for s in (1, -1))
            measured = float(((ahead - behind) * weight).sum() / (2 * STEP))
        claimed = float((gradient * direction).sum())
        if abs(claimed - measured) > 1e-4 * max(1.0, abs(measured)):
            raise AssertionError(
                f"gradient: {name} is right, but the gradient of {key} is not: along a random direction it says "
                f"{claimed:.6g}, and the function itself changes by {measured:.6g}"
            )
