"""PeftModel: a frozen base with adapters on it, one of which (or several, or none) is active."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from peft import combine
from peft.frame import explain, merging, mixed, saving
from peft.frame.adapter import Adapter
from peft.frame.config import PeftConfig, base_modules
from peft.frame.layers import CallContext, Site
from transformer import generate


def get_peft_model(model: nn.Module, config: PeftConfig, adapter_name: str = "default") -> "PeftModel":
    """Freezes `model`, puts one adapter on it, in place, and returns it wrapped; `unload()` gives it back untouched."""
    return PeftModel(model, config, adapter_name)


class PeftModel(nn.Module):
    """Runs like its base. What it does not know itself, it asks the base."""

    def __init__(self, model: nn.Module, config: PeftConfig, adapter_name: str = "default"):
        super().__init__()
        if isinstance(model, PeftModel) or any(isinstance(module, Site) for module in model.modules()):
            raise ValueError("this model carries adapters already: use add_adapter on it, or unload() it first")
        self.base_model = model
        self.context = CallContext()
        self.adapters = nn.ModuleDict()
        self.sites: list[Site] = []
        self.active: tuple[str, ...] = ()
        self.trained_before = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        adapter = self.new_adapter(adapter_name, config)
        model.requires_grad_(False)
        self.install(adapter_name, adapter)
        self.set_adapter(adapter_name)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base_model":
                raise
            return getattr(self.base_model, name)

    # Running -----------------------------------------------------------------------------------------------------

    def forward(self, source: Tensor, *rest: Any, adapter_names: Sequence[str] | None = None, **named: Any) -> Any:
        """The base's forward pass. `adapter_names` gives each row its own adapter ("__base__" for none)."""
        if adapter_names is not None:
            return mixed.forward(self, adapter_names, source, *rest, **named)
        self.context.source, self.context.target = source, rest[0] if rest else None
        return self.base_model(source, *rest, **named)

    def encode(self, source: Tensor, *rest: Any) -> Any:
        self.context.source = source
        return self.base_model.encode(source, *rest)

    def decode(self, target: Tensor, *rest: Any, **named: Any) -> Tensor:
        self.context.target = target
        return self.base_model.decode(target, *rest, **named)

    def states(self, source: Tensor, *rest: Any) -> Tensor:
        """The base's last vectors, which its output reads."""
        self.context.source, self.context.target = source, rest[0] if rest else None
        return self.base_model.states(source, *rest)

    def decoding(self, *settings: Any) -> Any:
        """The base's way of decoding, by way of `encode` and `decode` here, which say what is read."""
        return type(self.base_model).decoding(self, *settings)

    def generate(
        self, source: Tensor, max_new_tokens: int, adapter_names: Sequence[str] | None = None, **settings: Any
    ) -> Tensor:
        """As `transformer.generate`; `adapter_names` gives each row its own adapter."""
        if adapter_names is not None:
            return mixed.generate(self, adapter_names, source, max_new_tokens, **settings)
        return generate(self, source, max_new_tokens, **settings)

    # Adapters ----------------------------------------------------------------------------------------------------

    @property
    def peft_config(self) -> dict[str, PeftConfig]:
        return {name: adapter.config for name, adapter in self.adapters.items()}

    def add_adapter(self, adapter_name: str, config: PeftConfig) -> None:
        """Puts another adapter on the base; it is not active until `set_adapter`."""
        adapter = self.new_adapter(adapter_name, config)
        self.install(adapter_name, adapter)

    def add_weighted_adapter(
        self,
        adapters: Sequence[str],
        weights: Sequence[float],
        adapter_name: str,
        combination_type: str = "svd",
        svd_rank: int | None = None,
    ) -> None:
        """Adds a weighted combination of LoRA adapters as a new one: "svd", "cat" or "linear" (combine.py)."""
        combine.add_weighted_adapter(self, adapters, weights, adapter_name, combination_type, svd_rank)

    def new_adapter(self, name: str, config: PeftConfig) -> Adapter:
        if not isinstance(config, PeftConfig):
            raise TypeError(f"an adapter is made from a PeftConfig, not from {type(config).__name__}")
        if name in self.adapters:
            raise ValueError(f"there is an adapter {name!r} already; there are {', '.join(self.adapters)}")
        if not name or "." in name or name == mixed.BASE:
            raise ValueError(f"{name!r} cannot be an adapter's name: it is empty, has a dot, or stands for the base")
        with self.disable_adapter():
            return Adapter(self.base_model, config, self.context)

    def install(self, name: str, adapter: Adapter) -> None:
        self.adapters[name] = adapter
        for path, wrapper in adapter.wrappers.items():
            self.site(path).adapters[name] = wrapper.train(self.training)
        adapter.set_trainable(False)

    def site(self, path: str) -> Site:
        """The site at a base path, made when the first adapter comes there."""
        parent_path, _, name = path.rpartition(".")
        parent = dict(base_modules(self.base_model))[parent_path]
        present = getattr(parent, name)
        if not isinstance(present, Site):
            present = Site(present, self.context).train(present.training)
            setattr(parent, name, present)
            self.sites.append(present)
        return present

    def set_adapter(self, adapter_name: str | Sequence[str]) -> None:
        """Makes one adapter active and trainable, or several that can be summed."""
        names = (adapter_name,) if isinstance(adapter_name, str) else tuple(adapter_name)
        self.require(names)
        if len(names) > 1 and (others := [name for name in names if not self.adapters[name].additive]):
            raise ValueError(f"{', '.join(others)} cannot be summed with other adapters: only additive techniques can")
        for name in self.active:
            self.adapters[name].set_trainable(False)
        self.activate(names)
        for name in names:
            self.adapters[name].set_trainable(True)

    def activate(self, names: tuple[str, ...]) -> None:
        """Switches the sites and the owned parameters; what requires gradients stays as it is."""
        for name in self.active:
            self.adapters[name].owned.disable()
        for site in self.sites:
            site.active = tuple(name for name in names if name in site.adapters)
        for name in names:
            self.adapters[name].owned.enable()
        self.active = names

    @contextmanager
    def disable_adapter(self) -> Iterator[None]:
        """Inside, the model is the base, to the last bit; afterwards what was active is active again, also after an error."""
        active = self.active
        self.activate(())
        try:
            yield
        finally:
            self.activate(active)

    def delete_adapter(self, adapter_name: str) -> None:
        self.require((adapter_name,))
        self.activate(tuple(name for name in self.active if name != adapter_name))
        for site in self.sites:
            if adapter_name in site.adapters:
                del site.adapters[adapter_name]
        del self.adapters[adapter_name]

    def require(self, names: Sequence[str]) -> None:
        if unknown := [name for name in names if name not in self.adapters]:
            raise ValueError(
                f"there is no adapter {', '.join(map(repr, unknown))}; there are {', '.join(self.adapters)}"
            )

    # Leaving -----------------------------------------------------------------------------------------------------

    def get_base_model(self) -> nn.Module:
        return self.base_model

    def merge_and_unload(self) -> nn.Module:
        """The base with the active adapters written into its weights. Raises ValueError where that cannot be done."""
        return merging.merge_and_unload(self)

    def unload(self) -> nn.Module:
        """The base as it was before, without adapters."""
        return merging.unload(self)

    # Looking and keeping -----------------------------------------------------------------------------------------

    def get_nb_trainable_parameters(self) -> tuple[int, int]:
        return explain.count_parameters(self)

    def print_trainable_parameters(self) -> None:
        print(explain.trainable_line(self))

    def explain(self) -> list[dict[str, Any]]:
        """Every place where an adapter sits: prints a table and returns its rows."""
        return explain.explain(self)

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes every adapter: "default" into `folder`, others into a folder of their own inside it."""
        saving.save_pretrained(self, folder)

    @classmethod
    def from_pretrained(
        cls,
        model: nn.Module,
        folder: str | Path,
        adapter_name: str = "default",
        is_trainable: bool = False,
        check_base: bool = True,
    ) -> "PeftModel":
        """A saved adapter on a base, in evaluation mode and frozen unless `is_trainable`."""
        config = saving.load_config(folder)
        tensors = saving.load_tensors(folder, model if check_base else None)
        peft_model = cls(model, config, adapter_name)
        peft_model.fill(adapter_name, tensors, folder, is_trainable)
        return peft_model if is_trainable else peft_model.eval()

    def load_adapter(self, folder: str | Path, adapter_name: str, check_base: bool = True) -> None:
        """Adds a saved adapter; it is not active until `set_adapter`."""
        with self.disable_adapter():
            tensors = saving.load_tensors(folder, self.base_model if check_base else None)
        self.add_adapter(adapter_name, saving.load_config(folder))
        self.fill(adapter_name, tensors, folder, is_trainable=adapter_name in self.active)

    def fill(self, name: str, tensors: Mapping[str, Tensor], folder: str | Path, is_trainable: bool) -> None:
        """Loads into an adapter that is in place; one that does not fit is taken off again."""
        try:
            self.adapters[name].load(tensors, str(folder))
        except ValueError:
            self.delete_adapter(name)
            if not self.adapters:
                self.unload()
            raise
        self.adapters[name].set_trainable(is_trainable)
