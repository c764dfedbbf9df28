"""Mixed batches: every row of one batch uses its own adapter, and gets what it gets alone.

Techniques that add to a layer's output run in one pass:

    y_i = base(x_i) + delta_{k(i)}(x_i)        k(i): the adapter of row i

For LoRA of one rank the deltas of all rows are one batched product. What is not added to an output runs adapter by adapter.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from peft.frame.layers import AdaptedLayer, Site, own_precision
from peft.lora import LoraLinear
from transformer import generate as generate_with

if TYPE_CHECKING:
    from peft.model import PeftModel

BASE = "__base__"
"""The name of no adapter: such rows are run by the base."""


def forward(peft_model: "PeftModel", adapter_names: Sequence[str], *inputs: Tensor, **named: Any) -> Tensor:
    """The base's forward pass on inputs whose first axis is the batch."""
    return run(peft_model, adapter_names, inputs, lambda *rows: peft_model(*rows, **named))


def generate(
    peft_model: "PeftModel", adapter_names: Sequence[str], source: Tensor, max_new_tokens: int, **settings: Any
) -> Tensor:
    return run(
        peft_model, adapter_names, (source,), lambda rows: generate_with(peft_model, rows, max_new_tokens, **settings)
    )


def run(
    peft_model: "PeftModel", adapter_names: Sequence[str], inputs: Sequence[Tensor], call: Callable[..., Tensor]
) -> Tensor:
    if len(adapter_names) != len(inputs[0]):
        raise ValueError(f"{len(adapter_names)} adapter names came for a batch of {len(inputs[0])} rows")
    peft_model.require([name for name in adapter_names if name != BASE])
    additive = all(peft_model.adapters[name].additive for name in set(adapter_names) - {BASE})
    with peft_model.disable_adapter():
        if not additive:
            return adapter_by_adapter(peft_model, adapter_names, inputs, call)
        with together(peft_model, adapter_names):
            return call(*inputs)


@contextmanager
def together(peft_model: "PeftModel", names: Sequence[str]) -> Iterator[None]:
    """One pass: while it lasts, every site adds to each row the delta of the row's adapter."""
    peft_model.context.mixed = partial(with_own_deltas, names)
    try:
        yield
    finally:
        peft_model.context.mixed = None


def with_own_deltas(names: Sequence[str], site: Site, x: Tensor) -> Tensor:
    """What a site does then. Under beams every row of the batch stands there several times, one after the other."""
    beams = len(x) // len(names)
    names = [name for name in names for _ in range(beams)]
    layers = {name: site.adapters[name] for name in dict.fromkeys(names) if name in site.adapters}
    y = site.base(x)
    if layers and x.dim() == 3 and share_a_product(layers.values()):
        return with_low_rank_deltas(y, x, layers, names)
    y = y.clone()
    for name, layer in layers.items():
        rows = torch.tensor([row for row, chosen in enumerate(names) if chosen == name], device=x.device)
        y.index_add_(0, rows, layer.delta(x[rows]).to(y.dtype))
    return y


def share_a_product(layers: Collection[AdaptedLayer]) -> bool:
    """Whether every delta(x) is s B A x with the same rank: no relative of LoRA, and no dropout in this call."""
    plain = all(type(layer) is LoraLinear and not (layer.training and layer.dropout.p > 0.0) for layer in layers)
    return plain and len({layer.lora_A.out_features for layer in layers}) == 1


def with_low_rank_deltas(
    y: Float[Tensor, "rows time d_out"],
    x: Float[Tensor, "rows time d_in"],
    layers: Mapping[str, LoraLinear],
    names: Sequence[str],
) -> Float[Tensor, "rows time d_out"]:
    """y + s B A x, each row with the factors of its own layer. A row that has no layer here gets s = 0."""
    factors = {name: (layer.lora_A.weight, layer.lora_B.weight, layer.scaling) for name, layer in layers.items()}
    nothing = (*next(iter(factors.values()))[:2], 0.0)
    downs, ups, scalings = zip(*(factors.get(name, nothing) for name in names), strict=True)
    down, up = torch.stack(downs), torch.stack(ups)
    x = own_precision(x, down.dtype)
    update = (x @ down.mT) * torch.tensor(scalings, dtype=down.dtype, device=x.device)[:, None, None]
    add = torch.baddbmm if torch.is_grad_enabled() else Tensor.baddbmm_  # in place where no gradient needs y
    return add(y.to(up.dtype), update, up.mT).to(y.dtype)


def adapter_by_adapter(
    peft_model: "PeftModel", names: Sequence[str], inputs: Sequence[Tensor], call: Callable[..., Tensor]
) -> Tensor:
    order, parts = [], []
    for name in dict.fromkeys(names):
        rows = [row for row, chosen in enumerate(names) if chosen == name]
        peft_model.activate(() if name == BASE else (name,))
        parts.append(call(*(x[rows] for x in inputs)))
        order += rows
    width = max(part.shape[1] for part in parts)
    if any(part.shape[1] < width for part in parts):  # generated ids: groups may end at different lengths
        pad_id = peft_model.config.pad_id
        parts = [torch.nn.functional.pad(part, (0, width - part.shape[1]), value=pad_id) for part in parts]
    return torch.cat(parts)[torch.tensor(order, device=parts[0].device).argsort()]
