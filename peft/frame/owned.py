"""Place 5: a parameter that is already there. The adapter owns a copy of it.

Enabling puts the copies into the modules, in every module that shares the tensor; disabling puts the base's tensors back.
So "disable" and "save only the difference" mean for full fine-tuning and BitFit what they mean for LoRA, and the base is
never written.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from peft.frame.paths import base_modules


class OwnedParameters(nn.Module):
    """Copies of base parameters, by the base's names, with the originals and all modules that hold each one."""

    def __init__(self, model: nn.Module, names: Sequence[str]):
        super().__init__()
        self.names: list[str] = []
        self.holders: list[list[tuple[nn.Module, str]]] = []
        self.originals = nn.ParameterList()
        self.copies = nn.ParameterList()
        holders = holders_by_tensor(model)
        known = {name: tensor for name, tensor, _, _ in parameters_of(model)}
        for name in names:
            if name not in known:
                raise ValueError(f"the base has no parameter {name}")
            original = known[name]
            if any(original is other for other in self.originals):
                continue
            if not original.is_floating_point():
                raise ValueError(f"{name} holds {original.dtype}, which cannot be trained")
            self.names.append(name)
            self.holders.append(holders[id(original)])
            self.originals.append(original)
            self.copies.append(nn.Parameter(original.detach().clone()))

    def enable(self) -> None:
        """The copies into the modules."""
        self.put(self.copies)

    def disable(self) -> None:
        """The base's own tensors back into the modules."""
        self.put(self.originals)

    def put(self, tensors: nn.ParameterList) -> None:
        """Each tensor into every module that holds it, as the attribute that it is there."""
        for tensor, holders in zip(tensors, self.holders, strict=True):
            for module, name in holders:
                setattr(module, name, tensor)

    def own_parameters(self) -> dict[str, nn.Parameter]:
        """The copies by the base's names."""
        return dict(zip(self.names, self.copies, strict=True))

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Fills the copies with the tensors of their names; the base stays as it is."""
        with torch.no_grad():
            for name, parameter in self.own_parameters().items():
                parameter.copy_(tensors[name])


def parameters_of(model: nn.Module) -> list[tuple[str, nn.Parameter, nn.Module, str]]:
    """(name, tensor, module, attribute) of every base parameter, a shared tensor once for each module that holds it."""
    return [
        (f"{path}.{attribute}" if path else attribute, parameter, module, attribute)
        for path, module in base_modules(model)
        for attribute, parameter in module._parameters.items()
        if parameter is not None
    ]


def holders_by_tensor(model: nn.Module) -> dict[int, list[tuple[nn.Module, str]]]:
    """The id of a tensor → the modules that hold it, and as what."""
    holders: dict[int, list[tuple[nn.Module, str]]] = {}
    for _, parameter, module, attribute in parameters_of(model):
        holders.setdefault(id(parameter), []).append((module, attribute))
    return holders
