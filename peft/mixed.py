"""Mixed batches: every row of one batch uses its own adapter.

The rows are sorted by adapter, run, and put back in order. Techniques that add to a layer's output run in one pass, each
site adding a group's delta to its rows (layers.py). The others run group by group. Both give what each row gives alone.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

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
    order = sorted(range(len(adapter_names)), key=lambda row: adapter_names[row])
    sorted_inputs = [rows[order] for rows in inputs]
    groups = count_runs([adapter_names[row] for row in order])
    if all(peft_model.adapters[name].additive for name, _ in groups if name != BASE):
        with together(peft_model, groups):
            output = call(*sorted_inputs)
    else:
        output = one_after_another(peft_model, groups, sorted_inputs, call)
    back = torch.tensor(order, device=output.device).argsort()
    return output[back]


@contextmanager
def together(peft_model: "PeftModel", groups: list[tuple[str, int]]) -> Iterator[None]:
    """One pass. Owned parameters of an active adapter are put aside, since the rows share every matrix."""
    with peft_model.disable_adapter():
        peft_model.context.groups = groups
        try:
            yield
        finally:
            peft_model.context.groups = None


def one_after_another(
    peft_model: "PeftModel", groups: list[tuple[str, int]], inputs: Sequence[Tensor], call: Callable[..., Tensor]
) -> Tensor:
    parts = []
    with peft_model.disable_adapter():
        for (name, _), rows in zip(
            groups, zip(*(x.split([count for _, count in groups]) for x in inputs), strict=True), strict=True
        ):
            peft_model.activate(() if name == BASE else (name,))
            parts.append(call(*rows))
    width = max(part.shape[1] for part in parts)
    if any(part.shape[1] < width for part in parts):  # generated ids: groups may end at different lengths
        pad_id = peft_model.config.pad_id
        parts = [torch.nn.functional.pad(part, (0, width - part.shape[1]), value=pad_id) for part in parts]
    return torch.cat(parts)


def count_runs(names: Sequence[str]) -> list[tuple[str, int]]:
    groups: list[tuple[str, int]] = []
    for name in names:
        if groups and groups[-1][0] == name:
            groups[-1] = (name, groups[-1][1] + 1)
        else:
            groups.append((name, 1))
    return groups
