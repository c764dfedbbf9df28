"""Where each of our tensors comes from in a Hugging Face checkpoint: a table from our names to theirs.

    ours = take(theirs)          take: as it is, transposed, a third of the columns, ...

A row of the table is an `Origin`. `weight_and_bias` and `renamed` make the rows of whole layers.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor


def as_it_is(tensor: Tensor) -> Tensor:
    """Nothing is done to the tensor."""
    return tensor


@dataclass(frozen=True)
class Origin:
    """Where one tensor of ours comes from.

    `names`        its names in the checkpoint; several are copies of one tied matrix, and the first that is there counts
    `take`         their tensor → ours
    `if_missing`   makes our tensor where the checkpoint has none of the names; None: then that is an error
    """

    names: tuple[str, ...]
    take: Callable[[Tensor], Tensor] = as_it_is
    if_missing: Callable[[], Tensor] | None = None


Origins = dict[str, Origin]
"""Our name of a tensor → its origin."""


def weight_and_bias(ours: str, theirs: str, take: Callable[[Tensor], Tensor] = as_it_is) -> Origins:
    """The two rows of one layer, a linear one or a norm."""
    return {f"{ours}.{kind}": Origin((f"{theirs}.{kind}",), take) for kind in ("weight", "bias")}


def renamed(layers: Iterable[tuple[str, str]]) -> Origins:
    """The rows of layers that have another name there, and no other difference. `layers`: pairs (ours, theirs)."""
    return {name: origin for ours, theirs in layers for name, origin in weight_and_bias(ours, theirs).items()}
