"""One linear layer for tests of what stands around it: sides that differ, a bias that is not zero."""

import numpy as np
import torch
from torch import Tensor, nn

from peft.frame.layers import AdaptedLayer

D_IN, D_OUT = 7, 5


def linear(bias: bool = True) -> nn.Linear:
    return nn.Linear(D_IN, D_OUT, bias=bias, dtype=torch.float64).requires_grad_(False)


def inputs() -> Tensor:
    return torch.randn(2, 3, D_IN, dtype=torch.float64)


def settled(layer: AdaptedLayer) -> AdaptedLayer:
    """In the base's type, as the frame does it when it puts a layer in place."""
    layer.settle(layer.base)
    return layer


def scatter(layer: AdaptedLayer) -> AdaptedLayer:
    """Every trained number far from its start, so that every term of a formula shows."""
    settled(layer)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if not name.startswith("base."):
                parameter.normal_()
    return layer


def arrays(layer: nn.Module) -> dict[str, np.ndarray]:
    """All parameters and buffers by name, the base's too."""
    return {name: tensor.detach().numpy() for name, tensor in layer.state_dict(keep_vars=True).items()}
