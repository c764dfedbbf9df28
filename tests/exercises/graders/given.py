"""What graders give to the code that they grade: random numbers in float64, and modules whose every number is random."""

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from transformer import Transformer, TransformerConfig

Module = TypeVar("Module", bound=nn.Module)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def shaken(module: Module) -> Module:
    """In evaluation and float64; no bias is 0, no gain is 1, nothing is at its start."""
    module.eval().double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.5 * torch.randn_like(parameter))
    return module


def arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """All parameters and buffers by name, as the reference mathematics takes them."""
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict(keep_vars=True).items()}


def config(**changes: object) -> TransformerConfig:
    sizes = {"vocab_size": 17, "d_model": 12, "num_heads": 3, "num_encoder_layers": 1, "num_decoder_layers": 2}
    return TransformerConfig(**{**sizes, "d_ff": 20, "dropout": 0.0, "max_length": 16, "pad_id": 0, **changes})


def model(**changes: object) -> Transformer:
    return shaken(Transformer(config(**changes)))


def base(d_in: int = 7, d_out: int = 5, bias: bool = True) -> nn.Linear:
    """A frozen linear layer whose sides differ."""
    return nn.Linear(d_in, d_out, bias=bias, dtype=torch.float64).requires_grad_(False)


def scattered(layer: Module) -> Module:
    """The parameters of a technique's layer at random, its base as it is."""
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if not name.startswith("base."):
                parameter.normal_()
    return layer.eval()
