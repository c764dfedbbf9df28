"""What hides where: what a product keeps for its backward pass, on the autograd context too; and no copy is an alias."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from quant import Linear4bit
from quant.linear_q4 import LinearQ4

SIZE = 64


def kept(output: Tensor) -> Iterator[Tensor]:
    """Every tensor that hangs on the graph behind an output."""
    todo: list[Any] = [output.grad_fn]
    seen: set[int] = set()
    while todo:
        node = todo.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        todo += [following for following, _ in node.next_functions]
        yield from tensors_in([*getattr(node, "saved_tensors", ()), *vars_of(node).values()])


def vars_of(node: Any) -> dict[str, Any]:
    return dict(getattr(node, "__dict__", {}))


def tensors_in(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, dict):
        yield from tensors_in(list(values.values()))
    elif isinstance(values, list | tuple):
        for value in values:
            yield from tensors_in(value)
    elif hasattr(values, "__dict__") and not callable(values):
        yield from tensors_in(list(vars(values).values()))


@pytest.mark.parametrize("make", [Linear4bit.from_linear, LinearQ4.from_linear])
def test_no_matrix_in_full_precision_hangs_on_the_graph(make: Any) -> None:
    layer = make(nn.Linear(SIZE, SIZE).requires_grad_(False))
    x = torch.randn(3, SIZE, requires_grad=True)

    output = layer(x)

    found = list(kept(output))
    assert found
    assert all(tensor.nbytes < SIZE * SIZE for tensor in found), [tuple(tensor.shape) for tensor in found]


@pytest.mark.parametrize("make", [Linear4bit.from_linear, LinearQ4.from_linear])
def test_a_layer_shares_no_memory_with_the_one_that_it_was_made_from(make: Any) -> None:
    linear = nn.Linear(SIZE, SIZE)
    layer = make(linear)
    again = layer.to_linear()

    memory = [
        {t.untyped_storage().data_ptr() for t in module.state_dict().values()} for module in (linear, layer, again)
    ]
    assert not memory[0] & memory[1]
    assert not memory[1] & memory[2]
