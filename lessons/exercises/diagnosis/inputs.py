"""Did a function change what it was given? In-place operations (`masked_fill_`, `+=`) do."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor


@contextmanager
def inputs_unchanged(**inputs: Tensor | None) -> Iterator[None]:
    """Raises AssertionError naming the input that is not what it was when the block began."""
    before = {name: value.detach().clone() for name, value in inputs.items() if value is not None}
    yield
    for name, kept in before.items():
        value = inputs[name]
        if value is not None and not (value.shape == kept.shape and value.detach().equal(kept)):
            raise AssertionError(
                f"mutated: {name} was changed in place; the caller still needs it. Which line ends in _( or says += ?"
            )
