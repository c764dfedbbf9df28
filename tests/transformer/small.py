"""Small models for tests: sizes that differ, biases and norms that are not at their start values."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from transformer import Transformer, TransformerConfig

Module = TypeVar("Module", bound=nn.Module)

CONFIG = TransformerConfig(
    vocab_size=17,
    d_model=12,
    num_heads=3,
    num_encoder_layers=1,
    num_decoder_layers=2,
    d_ff=20,
    dropout=0.0,
    max_length=16,
)
SOURCE = torch.tensor([[5, 8, 11, 6, 2], [7, 12, 2, 0, 0], [9, 2, 0, 0, 0]])
TARGET = torch.tensor([[1, 10, 9, 14, 3, 9, 4], [1, 14, 15, 13, 6, 4, 2], [1, 3, 5, 2, 0, 0, 0]])


def config(**changes: object) -> TransformerConfig:
    return TransformerConfig(**{**CONFIG.to_dict(), **changes})


def shaken(module: Module) -> Module:
    """In evaluation and float64, with every parameter moved, so that no bias is 0 and no gain 1."""
    module.eval().double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


def model(**changes: object) -> Transformer:
    return shaken(Transformer(config(**changes)))


def talker(**changes: object) -> Transformer:
    """A model whose rows say different things and end at different steps: its output is its embedding, moved by five."""
    torch.manual_seed(6)
    model = Transformer(config(tie_embeddings=False, **changes)).double().eval()
    with torch.no_grad():
        nn.init.normal_(model.target_embedding.weight)
        model.output.weight.copy_(model.target_embedding.weight.roll(5, dims=0))
    return model


def arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """What the reference mathematics takes: the parameters as NumPy arrays."""
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def gradients(module: nn.Module, output: Tensor) -> dict[str, Tensor]:
    """Of a fixed random combination of the outputs, with respect to every parameter."""
    module.zero_grad()
    combination = torch.randn(output.shape, generator=torch.Generator().manual_seed(7)).to(output.dtype)
    (output * combination).sum().backward()
    return {name: parameter.grad.clone() for name, parameter in module.named_parameters()}


def assert_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor], **tolerances: float) -> None:
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], **tolerances, msg=lambda m, n=name: f"{n}: {m}")


@contextmanager
def one_seed(seed: int = 3) -> Iterator[None]:
    """The same random numbers for everything that runs inside."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
