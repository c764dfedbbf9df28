"""Patient: small batches, accumulated, end elsewhere than the large batch."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from lessons.clinic.reading import IGNORED

Batch = Mapping[str, Tensor]


def accumulated(losses: Callable[[Batch], Tensor], batches: Sequence[Batch]) -> Tensor:
    """One step's gradient, batch after batch; gives the step's loss without a graph.

    `losses`   gives the loss of each place of a batch, 0 where its label is -100
    `batches`  each with "labels"; in some of them nothing is asked

    What is measured after the repair: loss and gradients are those of all batches as one. backward() is called once for
    each batch, so that one graph is alive at a time. Raises ValueError where no batch asks for anything.
    """
    tokens = sum(int((batch["labels"] != IGNORED).sum()) for batch in batches)
    if tokens == 0:
        raise ValueError(f"none of the {len(batches)} batches asks for a token")
    total = torch.zeros(())
    for batch in batches:
        loss = losses(batch).sum() / tokens
        loss.backward()
        total = total + loss.detach()
    return total
