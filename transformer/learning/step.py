"""One step of training: a batch, computed whole or in parts, changes the weights once.

    L = 1/N Σ_k Σ_{t in part k} ℓ_t          N: the tokens of the whole step. Not the mean of the parts' means
    ∇L = Σ_k ∇(1/N Σ_{t in part k} ℓ_t)      so a part's graph is needed no longer than the part
    θ ← AdamW(θ, clip(∇L))

Papers    clipping by the norm: "On the difficulty of training recurrent neural networks" (arXiv 1211.5063)
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from transformer.learning.config import TrainingConfig
from transformer.learning.loss import check_finite, label_smoothed_cross_entropy


def one_step(
    network: nn.Module,
    parts: Sequence[Any],
    tokens: float,
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    pad_id: int,
    starts: Sequence[Sequence[Sequence[int]]] = (),
    step: int = 1,
    idle: int = 0,
) -> Float[Tensor, ""]:
    """Forward, loss, backward, clip, step. Returns the loss, without a graph: the sum over all real tokens / `tokens`.

    `parts`    of the batch, one after the other; their gradients add up to the batch's, as each counts by its tokens
    `tokens`   of the whole step
    `starts`   where the sources of each part begin (`first_positions`), if not all at 0
    `step`     its number, for the message
    `idle`     how many of the last parts count for nothing: other processes have something to do there (distributed.py)

    What an earlier step left in the gradients is gone. `backward` is called for a part before the next part's forward, so
    that one graph is alive at a time. A gradient of the whole step, over all of the optimizer's parameters, that is longer
    than `config.clip_norm` is shortened to it.
    Raises ValueError, before a weight is changed, where the loss or its gradient is not finite.
    """
    optimizer.zero_grad(set_to_none=True)
    losses = []
    for summed in summed_losses(network, parts, config, pad_id, starts, idle):
        loss = summed / tokens
        loss.backward()
        losses.append(loss.detach())
    loss = torch.stack(losses).sum()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(parameters, config.clip_norm)
    check_finite(step, loss, norm)
    optimizer.step()
    return loss


def summed_losses(
    network: nn.Module,
    parts: Sequence[Any],
    config: TrainingConfig,
    pad_id: int,
    starts: Sequence[Sequence[Sequence[int]]] = (),
    idle: int = 0,
) -> Iterator[Float[Tensor, ""]]:
    """Of each part the loss, summed over its tokens; 0 times that for the last `idle` ones.

    A part's forward runs when its loss is asked for: call backward before the next one.
    """
    settings = (config.label_smoothing, pad_id, config.never)
    for part, batch in enumerate(parts):
        with shared_once(network, last=part == len(parts) - 1):
            with torch.autocast(batch.labels.device.type, torch.bfloat16, enabled=config.precision == "bf16"):
                logits = batch.logits(network, starts[part] if starts else ())
            loss = label_smoothed_cross_entropy(logits, batch.labels, *settings, reduction="sum")
            yield loss if part < len(parts) - idle else 0.0 * loss


def shared_once(network: nn.Module, last: bool) -> AbstractContextManager[None]:
    """Several processes bring their gradients together once, after the last part."""
    return network.no_sync() if isinstance(network, DistributedDataParallel) and not last else nullcontext()
