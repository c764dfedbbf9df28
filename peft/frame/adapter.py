"""One adapter on one base: its layers, its copies of parameters, its rows for trained tokens, under their saved names."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from peft.frame.casting import settle
from peft.frame.config import PeftConfig, Placement
from peft.frame.layers import AdaptedLayer, AdditiveLayer
from peft.frame.owned import OwnedParameters, parameters_of
from peft.frame.tokens import TokenRows, token_rows
from transformer.fields import in_one_line, the_first

TOKEN_KEY = "token_adapter.trainable_tokens_delta"


class Adapter(nn.Module):
    """Built beside the base, which it does not touch; the core puts its layers in place."""

    def __init__(self, model: nn.Module, config: PeftConfig):
        super().__init__()
        config = config.fitted(model)
        placement = config.place(model)
        self.config = config
        self.layers: dict[str, AdaptedLayer] = dict(placement.layers)
        self.shared = placement.shared
        for layer in self.layers.values():
            layer.settle(model)
        if self.shared is not None:
            settle(self.shared, model)
        self.owned = OwnedParameters(model, [*placement.parameters, *saved_modules(model, config, placement)])
        groups = token_rows(model, config.trainable_token_indices) if config.trainable_token_indices else []
        self.row_paths = [paths for paths, _ in groups]
        self.rows = nn.ModuleList(rows for _, rows in groups)

    @property
    def additive(self) -> bool:
        """Whether it can be summed with others, and mixed with them within a batch."""
        return not self.owned.names and all(isinstance(layer, AdditiveLayer) for layer in self.layers.values())

    @property
    def rows_by_path(self) -> dict[str, TokenRows]:
        """The rows of trained tokens that stand in the slot of each path; tied matrices have the same."""
        return {path: rows for paths, rows in zip(self.row_paths, self.rows) for path in paths}

    def own_parameters(self) -> dict[str, nn.Parameter]:
        """Every trainable tensor of this adapter under the name that it is saved by."""
        named: dict[str, nn.Parameter] = {}
        for path, layer in self.layers.items():
            named |= {self.config.key(path, name): p for name, p in layer.own_parameters().items()}
        if self.shared is not None:
            named |= {f"base_model.{name}": p for name, p in self.shared.named_parameters()}
        named |= {self.owned_key(name): p for name, p in self.owned.own_parameters().items()}
        return named | self.token_rows()

    def set_trainable(self, trainable: bool) -> None:
        """Whether its tensors take gradients."""
        for parameter in self.own_parameters().values():
            parameter.requires_grad_(trainable)

    def token_rows(self) -> dict[str, nn.Parameter]:
        """The rows of trained tokens by the names that they are saved by: that of the first module of tied ones."""
        return {f"base_model.model.{paths[0]}.{TOKEN_KEY}": rows.rows for paths, rows in zip(self.row_paths, self.rows)}

    def owned_key(self, name: str) -> str:
        """The name that a copied parameter is saved by."""
        path, _, attribute = name.rpartition(".")
        return self.config.key(path, attribute)

    def saved(self) -> dict[str, Tensor]:
        """What is written to disk."""
        tensors: dict[str, Tensor] = {}
        for path, layer in self.layers.items():
            tensors |= {self.config.key(path, name): t for name, t in layer.saved().items()}
        if self.shared is not None:
            tensors |= {f"base_model.{name}": t.detach() for name, t in self.shared.state_dict().items()}
        tensors |= {self.owned_key(name): p.detach() for name, p in self.owned.own_parameters().items()}
        return tensors | {name: rows.detach() for name, rows in self.token_rows().items()}

    def load(self, tensors: Mapping[str, Tensor], source: str) -> None:
        """Copies saved tensors in. Every name and shape must fit, or nothing is copied and a ValueError lists what does not."""
        wanted = self.saved()
        tensors = self.config.from_hf(tensors, wanted)
        if problems := misfits(tensors, wanted):
            raise ValueError(f"{source} does not fit this base and config: {the_first(problems)}")
        for path, layer in self.layers.items():
            layer.load({name: tensors[self.config.key(path, name)] for name in layer.saved()})
        if self.shared is not None:
            self.shared.load_state_dict({name: tensors[f"base_model.{name}"] for name in self.shared.state_dict()})
        self.owned.load({name: tensors[self.owned_key(name)] for name in self.owned.own_parameters()})
        with torch.no_grad():
            for name, rows in self.token_rows().items():
                rows.copy_(tensors[name])


def misfits(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """What is missing, unknown, of another shape or of integers, in words."""
    return [
        *(f"missing {name}" for name in sorted(set(wanted) - set(tensors))),
        *(f"unknown {in_one_line([name])}" for name in sorted(set(tensors) - set(wanted))),
        *(
            f"{name} is {tuple(tensors[name].shape)}, this base needs {tuple(wanted[name].shape)}"
            for name in sorted(set(wanted) & set(tensors))
            if wanted[name].shape != tensors[name].shape
        ),
        *(
            f"{name} holds {tensors[name].dtype}, and floating-point numbers are wanted"
            for name in sorted(set(wanted) & set(tensors))
            if wanted[name].is_floating_point() and not tensors[name].is_floating_point()
        ),
    ]


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
        if clash := [path for path in placement.layers if path == wanted or path.endswith(f".{wanted}")]:
            raise ValueError(f"modules_to_save {wanted!r} is adapted by {type(config).__name__} already: {clash}")
        names += inside
    return names
