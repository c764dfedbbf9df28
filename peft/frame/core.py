"""The core: a frozen base, the adapters on it, the slots where they stand, and which of them are active.

It knows no technique, and nothing of what is done with adapters: merging, mixing, explaining, saving and combining take
the core, and the PeftModel stands on all of them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn

from peft.frame.adapter import Adapter
from peft.frame.config import PeftConfig
from peft.frame.context import CallContext
from peft.frame.layers import Slot
from peft.frame.names import check_name
from peft.frame.paths import base_module

BASE = "__base__"
"""The name of no adapter: rows of a mixed batch that are run by the base."""
CARRIES = "carries_adapters"
"""What a base has as long as adapters are on it: one that owns copies of parameters alone leaves no slot in it."""


class Core(nn.Module):
    """Freezes the base and puts adapters on it, in place. One of them is active, or several, or none."""

    def __init__(self, model: nn.Module, config: PeftConfig, adapter_name: str = "default"):
        super().__init__()
        require_bare(model)
        self.base_model = model
        self.context = CallContext()
        self.adapters = nn.ModuleDict()
        self.slots: list[Slot] = []
        self.active: tuple[str, ...] = ()
        self.trained_before = {name: p.requires_grad for name, p in model.named_parameters(remove_duplicate=False)}
        self.add_adapter(adapter_name, config)
        self.set_adapter(adapter_name)

    @property
    def peft_config(self) -> dict[str, PeftConfig]:
        """The config of every adapter, by its name."""
        return {name: adapter.config for name, adapter in self.adapters.items()}

    def add_adapter(self, adapter_name: str, config: PeftConfig) -> None:
        """Puts another adapter on the base; it is not active until `set_adapter`."""
        self.install(adapter_name, self.new_adapter(adapter_name, config))

    def new_adapter(self, name: str, config: PeftConfig) -> Adapter:
        """An adapter beside the base. Raises for a name that is taken or impossible, and for what is no config."""
        if not isinstance(config, PeftConfig):
            raise TypeError(f"an adapter is made from a PeftConfig, not from {type(config).__name__}")
        if not config.peft_type:
            raise TypeError(
                f"{type(config).__name__} has no peft_type, the name by which a saved adapter finds it again"
            )
        check_name(name, reserved=(BASE,))
        if name in self.adapters:
            raise ValueError(f"there is an adapter {name!r} already; there are {', '.join(self.adapters)}")
        with self.disable_adapter():
            return Adapter(self.base_model, config)

    def install(self, name: str, adapter: Adapter) -> None:
        """Puts the adapter's layers and trained rows into their slots. The first one freezes the base."""
        if not self.adapters:
            self.base_model.requires_grad_(False)
            setattr(self.base_model, CARRIES, True)
        self.adapters[name] = adapter.train(self.training)
        for path, layer in adapter.layers.items():
            self.slot(path).layers[name] = layer.train(self.training)
            if hasattr(layer, "context"):
                layer.context = self.context
        for path, rows in adapter.rows_by_path.items():
            self.slot(path).rows[name] = rows
        adapter.set_trainable(False)

    def slot(self, path: str) -> Slot:
        """The slot at a base path, made when the first adapter comes there."""
        parent_path, _, name = path.rpartition(".")
        parent = base_module(self.base_model, parent_path)
        present = getattr(parent, name)
        if not isinstance(present, Slot):
            present = Slot(present, self.context).train(present.training)
            setattr(parent, name, present)
            self.slots.append(present)
        return present

    def set_adapter(self, adapter_name: str | Sequence[str]) -> None:
        """Makes one adapter active and trainable, or several that can be summed."""
        names = (adapter_name,) if isinstance(adapter_name, str) else tuple(adapter_name)
        self.require(names)
        if len(set(names)) < len(names):
            raise ValueError(f"{', '.join(names)}: each adapter can be active once only")
        if len(names) > 1 and (others := [name for name in names if not self.adapters[name].additive]):
            raise ValueError(f"{', '.join(others)} cannot be summed with other adapters: only additive techniques can")
        for name in self.active:
            self.adapters[name].set_trainable(False)
        self.activate(names)
        for name in names:
            self.adapters[name].set_trainable(True)

    def activate(self, names: tuple[str, ...]) -> None:
        """Switches the slots and the owned parameters; what requires gradients stays as it is."""
        for name in self.active:
            self.adapters[name].owned.disable()
        for slot in self.slots:
            slot.active = tuple(name for name in names if name in slot)
        for name in names:
            self.adapters[name].owned.enable()
        self.active = names

    @contextmanager
    def disable_adapter(self) -> Iterator[None]:
        """Inside, the model is the base, to the last bit; afterwards, also after an error, as before, but for what was deleted."""
        active = self.active
        self.activate(())
        try:
            yield
        finally:
            self.activate(tuple(name for name in active if name in self.adapters))

    def delete_adapter(self, adapter_name: str) -> None:
        """Takes an adapter off. Its slots stay, and are the base."""
        self.require((adapter_name,))
        self.activate(tuple(name for name in self.active if name != adapter_name))
        for slot in self.slots:
            for parts in (slot.layers, slot.rows):
                if adapter_name in parts:
                    del parts[adapter_name]
        del self.adapters[adapter_name]

    def forget(self) -> None:
        """Leaves the base to itself, as it is now: no adapter is known here any more."""
        self.adapters.clear()
        self.slots.clear()
        self.active = ()
        vars(self.base_model).pop(CARRIES, None)

    def require(self, names: Sequence[str]) -> None:
        """Raises ValueError for a name that no adapter has, and lists the names there are."""
        if unknown := [name for name in names if name not in self.adapters]:
            raise ValueError(
                f"there is no adapter {', '.join(map(repr, unknown))}; there are {', '.join(self.adapters) or 'none'}"
            )


def require_bare(model: nn.Module) -> None:
    """Raises ValueError for a model that carries adapters already."""
    if any(isinstance(module, Core | Slot) or CARRIES in vars(module) for module in model.modules()):
        raise ValueError("this model carries adapters already: use add_adapter on it, or unload() it first")
