"""One adapter on one base: its wrappers, its copies of parameters, its rows for trained tokens, under their saved names."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from peft.frame.config import PeftConfig, base_modules
from peft.frame.layers import AdaptedLayer, CallContext, Placement, adapter_dtype
from peft.frame.owned import OwnedParameters, parameters_of
from peft.frame.tokens import TokenRows, check_tokens, matrices_of_tokens

TOKEN_KEY = "token_adapter.trainable_tokens_delta"


class Adapter(nn.Module):
    """Built beside the base, which it does not touch; `PeftModel` puts its wrappers in place."""

    def __init__(self, model: nn.Module, config: PeftConfig, context: CallContext):
        super().__init__()
        config = config.fitted(model)
        placement = config.place(model)
        self.config = config
        self.wrappers: dict[str, AdaptedLayer] = dict(placement.wrappers)
        self.shared = placement.shared
        self.owned = OwnedParameters(model, [*placement.parameters, *saved_modules(model, config, placement)])
        self.rows = nn.ParameterList()
        self.row_paths: list[list[str]] = []
        if config.trainable_token_indices:
            self.add_token_rows(model, config.trainable_token_indices)
        for wrapper in self.wrappers.values():
            for module in wrapper.modules():
                if isinstance(module, AdaptedLayer):
                    module.context = context

    def add_token_rows(self, model: nn.Module, indices: Collection[int]) -> None:
        for group in matrices_of_tokens(model):
            weight = next(iter(group.values())).weight
            check_tokens(indices, weight.shape[0])
            tokens = torch.tensor(indices, device=weight.device)
            rows = nn.Parameter(weight.detach()[tokens].to(adapter_dtype(model)))
            self.rows.append(rows)
            self.row_paths.append(list(group))
            for path, module in group.items():
                self.wrappers[path] = TokenRows(self.wrappers.get(path, module), module, tokens, rows)

    @property
    def additive(self) -> bool:
        """Whether it can be summed with others, and mixed with them within a batch."""
        return not self.owned.names and all(hasattr(wrapper, "delta") for wrapper in self.wrappers.values())

    def own_parameters(self) -> dict[str, nn.Parameter]:
        """Every trainable tensor of this adapter under the name that it is saved by."""
        named: dict[str, nn.Parameter] = {}
        for path, wrapper in self.wrappers.items():
            named |= {self.config.key(path, name): p for name, p in wrapper.own_parameters().items()}
        if self.shared is not None:
            named |= {f"base_model.{name}": p for name, p in self.shared.named_parameters()}
        named |= {self.owned_key(name): p for name, p in self.owned.own_parameters().items()}
        return named | self.token_rows()

    def set_trainable(self, trainable: bool) -> None:
        """Whether its tensors take gradients."""
        for parameter in self.own_parameters().values():
            parameter.requires_grad_(trainable)

    def token_rows(self) -> dict[str, nn.Parameter]:
        return {f"base_model.model.{paths[0]}.{TOKEN_KEY}": rows for paths, rows in zip(self.row_paths, self.rows)}

    def owned_key(self, name: str) -> str:
        path, _, attribute = name.rpartition(".")
        return self.config.key(path, attribute)

    def saved(self) -> dict[str, Tensor]:
        """What is written to disk."""
        tensors: dict[str, Tensor] = {}
        for path, wrapper in self.wrappers.items():
            tensors |= {self.config.key(path, name): t for name, t in technique_of(wrapper).saved().items()}
        if self.shared is not None:
            tensors |= {f"base_model.{name}": t.detach() for name, t in self.shared.state_dict().items()}
        tensors |= {self.owned_key(name): p.detach() for name, p in self.owned.own_parameters().items()}
        return tensors | {name: rows.detach() for name, rows in self.token_rows().items()}

    def load(self, tensors: Mapping[str, Tensor], source: str) -> None:
        """Copies saved tensors in. Every name and shape must fit, or nothing is copied and a ValueError lists what does not."""
        wanted = self.saved()
        tensors = self.config.imported(tensors, wanted)
        problems = [f"missing {name}" for name in sorted(set(wanted) - set(tensors))]
        problems += [f"unknown {name}" for name in sorted(set(tensors) - set(wanted))]
        problems += [
            f"{name} is {tuple(tensors[name].shape)}, this base needs {tuple(wanted[name].shape)}"
            for name in sorted(set(wanted) & set(tensors))
            if wanted[name].shape != tensors[name].shape
        ]
        if problems:
            more = f" and {len(problems) - 8} more" if len(problems) > 8 else ""
            raise ValueError(f"{source} does not fit this base and config: {'; '.join(problems[:8])}{more}")
        for path, wrapper in self.wrappers.items():
            layer = technique_of(wrapper)
            layer.load({name: tensors[self.config.key(path, name)] for name in layer.saved()})
        if self.shared is not None:
            self.shared.load_state_dict({name: tensors[f"base_model.{name}"] for name in self.shared.state_dict()})
        self.owned.load({name: tensors[self.owned_key(name)] for name in self.owned.own_parameters()})
        with torch.no_grad():
            for name, rows in self.token_rows().items():
                rows.copy_(tensors[name])

    def merge_token_rows(self, model: nn.Module) -> None:
        """Writes the rows into the base's matrix: an explicit merge, the one thing that writes to a base tensor."""
        modules = dict(base_modules(model))
        with torch.no_grad():
            for paths, rows in zip(self.row_paths, self.rows):
                weight = modules[paths[0]].weight
                weight[list(self.config.trainable_token_indices)] = rows.to(weight.dtype)


def technique_of(wrapper: AdaptedLayer) -> AdaptedLayer:
    """The technique's own layer, without the trained rows around it."""
    if isinstance(wrapper, TokenRows):
        return wrapper.base if isinstance(wrapper.base, AdaptedLayer) else wrapper
    return wrapper


def saved_modules(model: nn.Module, config: PeftConfig, placement: Placement) -> list[str]:
    """The parameters of `modules_to_save`. Raises ValueError for a name that matches nothing or is adapted already."""
    names: list[str] = []
    for wanted in config.modules_to_save:
        inside = [
            name
            for name, _, _, _ in parameters_of(model)
            if f".{name}".startswith(f".{wanted}.") or f".{wanted}." in f".{name}"
        ]
        if not inside:
            raise ValueError(f"modules_to_save {wanted!r} matches no module that has parameters")
        if clash := [path for path in placement.wrappers if path == wanted or path.endswith(f".{wanted}")]:
            raise ValueError(f"modules_to_save {wanted!r} is adapted by {type(config).__name__} already: {clash}")
        names += inside
    return names
