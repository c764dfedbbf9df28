"""Mixed batches: every row of one batch uses its own adapter, and gets what it gets alone.

Techniques that add to a layer's output run in one pass:

    y_i = base(x_i) + delta_{k(i)}(x_i)        k(i): the adapter of row i

A technique that can make the deltas of all rows in one product says how (`AdditiveLayer.deltas`; LoRA does). What is not
added to an output runs adapter by adapter.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from peft.frame.casting import widened
from peft.frame.core import BASE, Core
from peft.frame.layers import Slot
from transformer import generate as generate_with


def forward(core: Core, adapter_names: Sequence[str], *inputs: Any, **named: Any) -> Tensor:
    """The base's forward pass. A tensor whose first axis is the batch goes row by row, given by position or by name."""
    return run(core, adapter_names, inputs, core, **named)


def generate(core: Core, adapter_names: Sequence[str], source: Tensor, max_new_tokens: int, **settings: Any) -> Tensor:
    """As `transformer.generate`, each row by its own adapter."""
    return run(core, adapter_names, (source,), lambda rows: generate_with(core, rows, max_new_tokens, **settings))


def run(
    core: Core, adapter_names: Sequence[str], inputs: Sequence[Any], call: Callable[..., Tensor], **named: Any
) -> Tensor:
    """What `call` gives for each row with the row's adapter: in one pass if all are additive, else adapter by adapter."""
    if len(adapter_names) != len(inputs[0]):
        raise ValueError(f"{len(adapter_names)} adapter names came for a batch of {len(inputs[0])} rows")
    core.require([name for name in adapter_names if name != BASE])
    additive = all(core.adapters[name].additive for name in set(adapter_names) - {BASE})
    with core.disable_adapter():
        if not additive:
            return adapter_by_adapter(core, adapter_names, inputs, call, **named)
        with together(core, adapter_names):
            return call(*inputs, **named)


@contextmanager
def together(core: Core, names: Sequence[str]) -> Iterator[None]:
    """One pass: while it lasts, every slot adds to each row what the row's adapter adds."""
    core.context.mixed = partial(with_own_deltas, names)
    try:
        yield
    finally:
        core.context.mixed = None


def with_own_deltas(names: Sequence[str], slot: Slot, x: Tensor) -> Tensor:
    """What a slot does then. Under beams every row of the batch stands there several times, one after the other."""
    beams = len(x) // len(names)
    names = [name for name in names for _ in range(beams)]
    y = slot.base(x)
    if (factors := factors_of_deltas(names, slot, x)) is not None:
        thin, up = factors
        add = torch.baddbmm if torch.is_grad_enabled() else Tensor.baddbmm_  # in place where no gradient needs y
        return add(y.to(up.dtype), thin.to(up.dtype), up.mT).to(y.dtype)
    result = y.clone()
    for name in (name for name in dict.fromkeys(names) if name in slot):
        rows = torch.tensor([row for row, chosen in enumerate(names) if chosen == name], device=x.device)
        result.index_add_(0, rows, slot.added(name, x[rows], y[rows]))
    return result


def factors_of_deltas(names: Sequence[str], slot: Slot, x: Tensor) -> tuple[Tensor, Tensor] | None:
    """What the deltas of all rows are the product of, where their layers are of one technique that can say so."""
    layers = {name: slot.layers[name] for name in dict.fromkeys(names) if name in slot.layers}
    kinds = {type(layer) for layer in layers.values()}
    if len(kinds) != 1 or any(name in slot.rows for name in dict.fromkeys(names)):
        return None
    return kinds.pop().deltas(layers, names, widened(x, next(iter(layers.values()))))


def adapter_by_adapter(
    core: Core, names: Sequence[str], inputs: Sequence[Any], call: Callable[..., Tensor], **named: Any
) -> Tensor:
    """A pass for each adapter on its own rows, put together again in the order in which they came."""
    order, parts = [], []
    for name in dict.fromkeys(names):
        rows = [row for row, chosen in enumerate(names) if chosen == name]
        core.activate(() if name == BASE else (name,))
        own = partial(only, rows, len(names))
        parts.append(call(*map(own, inputs), **{name: own(value) for name, value in named.items()}))
        order += rows
    width = max(part.shape[1] for part in parts)
    if any(part.shape[1] < width for part in parts):  # generated ids: groups may end at different lengths
        pad_id = core.config.pad_id
        parts = [torch.nn.functional.pad(part, (0, width - part.shape[1]), value=pad_id) for part in parts]
    return torch.cat(parts)[torch.tensor(order, device=parts[0].device).argsort()]


def only(rows: list[int], batch: int, value: Any) -> Any:
    """These rows of a tensor that has one for each of the batch; whatever else is given is for all rows."""
    return value[rows] if isinstance(value, Tensor) and value.dim() > 0 and len(value) == batch else value
