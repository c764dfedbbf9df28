"""The fingerprint of a base: the short name that an adapter keeps of what it was trained on.

It covers every value, in bf16, so that a base in fp32 and the same in bf16 have one. A weight in four bits counts by its codes.
"""

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from peft.frame.owned import parameters_of
from peft.frame.paths import base_modules

SUMMED = ("scale_codes", "scale_constants")
"""Doubly quantized scales: a mean is taken off them, whose last bit hangs on the device and its number of threads."""


def fingerprint(model: nn.Module) -> str:
    """A short name of a base: names, shapes and values of all its tensors, the values in bf16 or in 4-bit codes."""
    digest = hashlib.sha256()
    for name, tensor in named_tensors(model):
        exact = tensor.detach().to(torch.bfloat16).view(torch.int16) if tensor.is_floating_point() else tensor
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(exact.cpu().flatten().numpy())
    return digest.hexdigest()[:16]


def named_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """All parameters of a base, and the buffers that are saved with it but those that are `SUMMED`."""
    yield from ((name, parameter) for name, parameter, _, _ in parameters_of(model))
    for path, module in base_modules(model):
        for name, buffer in module._buffers.items():
            if buffer is not None and name not in module._non_persistent_buffers_set and name not in SUMMED:
                yield f"{path}.{name}", buffer
