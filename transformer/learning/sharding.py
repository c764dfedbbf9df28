"""One model shared among several processes: torch's `fully_shard`.

    each keeps 1/N of every matrix, of its gradient and of the optimizer's two moments
    a layer's matrices are gathered whole before it computes and let go behind it, in the backward pass once more

What stands in no layer (embeddings, the last norm, the output) is gathered for the whole step. Buffers are not shared.

Papers    ZeRO (arXiv 1910.02054); "PyTorch FSDP" (arXiv 2304.11277)
"""

from collections import Counter
from typing import Any

import torch
import torch.distributed as distributed
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from transformer.learning.shares import holders_of, put
from transformer.stack import Stack


def shard(network: nn.Module, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Shares the network's parameters among the processes, in place; the same groups, of the shares that now stand there.

    The units that are gathered one by one are the layers, and before them what several layers have in common. Parameters
    that lists alone hold are read by no forward pass, and so never gathered: the base's own beside copies that are trained.
    """
    mesh = init_device_mesh("cuda" if torch.cuda.is_available() else "cpu", (distributed.get_world_size(),))
    names = {parameter: name for name, parameter in network.named_parameters()}
    holders = holders_of(network)
    layers = [layer for stack in network.modules() if isinstance(stack, Stack) for layer in stack.layers]
    lists = [module for module in network.modules() if isinstance(module, nn.ParameterList)]
    unread = {parameter for parameter, places in holders.items() if all(module in lists for module, _ in places)}
    done: set[nn.Parameter] = set()
    for unit in [*common(layers), *layers, *lists]:
        own = {parameter for parameter in unit.parameters() if parameter not in done}
        own = own & unread if unit in lists else own
        fully_shard(unit, mesh=mesh, ignored_params=set(unit.parameters()) - own)
        shares = {parameter: share_in(unit, holders[parameter]) for parameter in own}
        put(holders, shares)
        done.update(shares.values())
    fully_shard(network, mesh=mesh, ignored_params=done)
    return [{**group, "params": [network.get_parameter(names[p]) for p in group["params"]]} for group in groups]


def common(layers: list[nn.Module]) -> list[nn.Module]:
    """The modules that stand in several layers, without those that are inside of one of them."""
    uses = Counter(module for layer in layers for module in set(layer.modules()))
    shared = [module for module, count in uses.items() if count > 1 and any(True for _ in module.parameters())]
    inside = {child for module in shared for child in module.modules() if child is not module}
    return [module for module in shared if module not in inside]


def share_in(unit: nn.Module, places: list[tuple[nn.Module, str]]) -> nn.Parameter:
    """What now stands in the unit where the whole parameter stood."""
    inside = set(unit.modules())
    return next(getattr(module, name) for module, name in places if module in inside)
