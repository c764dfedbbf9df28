"""Shares of tensors: of a model that several processes share (sharding.py), each keeps so much of every parameter.

A share is torch's DTensor. It is known by its method `full_tensor`: importing the class takes two seconds.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch.distributed as distributed
from torch import Tensor, nn

Holders = dict[nn.Parameter, list[tuple[nn.Module, str]]]


def is_share(tensor: Any) -> bool:
    return hasattr(tensor, "full_tensor")


def whole(tensor: Any) -> Any:
    """Of a share the whole tensor, which all processes must ask for; any other tensor is whole."""
    return tensor.full_tensor() if is_share(tensor) else tensor


def shared_like(parameter: Any, tensor: Tensor) -> Any:
    """A tensor where the parameter is; one of its shape in the same shares."""
    tensor = tensor.to(parameter.device)
    if not is_share(parameter) or tensor.shape != parameter.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor, parameter.device_mesh, parameter.placements)


@contextmanager
def gathered(model: nn.Module) -> Iterator[None]:
    """Inside, the model of the first process is whole, on the CPU, and one like any other: to be saved. All enter it."""
    units: list[Any] = [module for module in model.modules() if hasattr(module, "unshard")]
    for unit in units:
        unit.reshard()  # what a forward pass has gathered may still be there
    holders, wholes = holders_of(model), {}
    for parameter in filter(is_share, holders):
        tensor = whole(parameter.detach())
        if distributed.get_rank() == 0:
            wholes[parameter] = nn.Parameter(tensor.cpu(), parameter.requires_grad)
    put(holders, wholes)
    hooks = [(unit, vars(unit).copy()) for unit in units]
    for module, _ in hooks:  # they gather the matrices before a forward pass
        module._forward_pre_hooks, module._forward_hooks = OrderedDict(), OrderedDict()
    try:
        yield
    finally:
        put(holders, {parameter: parameter for parameter in wholes})
        for module, before in hooks:
            vars(module).update({name: before[name] for name in ("_forward_pre_hooks", "_forward_hooks")})


def holders_of(model: nn.Module) -> Holders:
    """Of each parameter the modules that hold it, and as what."""
    holders: Holders = {}
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                holders.setdefault(parameter, []).append((module, name))
    return holders


def put(holders: Holders, instead: Mapping[nn.Parameter, nn.Parameter]) -> None:
    """In place of a parameter another one, in every module that holds it."""
    for parameter, other in instead.items():
        for module, name in holders[parameter]:
            setattr(module, name, other)
