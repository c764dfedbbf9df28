"""Training: the loop that turns pairs of sequences into weights.

    θ ← AdamW(θ, clip(∇ L(θ)))        L = label-smoothed cross-entropy, teacher forcing

Step n draws its batch, its first positions and its dropout from (seed, n) alone, so a run that is killed and resumed ends
with equal weights.
Under `torchrun` each process takes its share of the rows of every batch (distributed.py); the losses are those of one.

Papers    "Attention Is All You Need" (arXiv 1706.03762), section 5; AdamW: "Decoupled Weight Decay" (arXiv 1711.05101)
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from transformer.learning.batching import Examples, Pair, Pairs, seed_of
from transformer.learning.config import TrainingConfig
from transformer.learning.distributed import Processes
from transformer.learning.resume import keep, resume
from transformer.learning.step import one_step


def parameter_groups(model: nn.Module, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
    """The optimizer's groups: decay pulls matrices (two axes or more) towards 0, never biases, gains or other vectors.

    Each is a dict of `params`, `weight_decay` and `lr`. Frozen parameters are in none; a group without parameters is left
    out. Raises ValueError where nothing is trainable.
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise ValueError("nothing is trainable: every parameter is frozen")
    matrices = [parameter for parameter in trainable if parameter.dim() >= 2]
    vectors = [parameter for parameter in trainable if parameter.dim() < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [{**group, "lr": learning_rate} for group in groups if group["params"]]


def train(
    model: Any,
    pairs: Sequence[Pair] | Examples,
    config: TrainingConfig,
    groups: list[dict[str, Any]] | None = None,
    checkpoint: str | Path | None = None,
    on_step: Callable[[int, float], None] | None = None,
    shard: bool = False,
) -> list[float]:
    """Trains what requires gradients and returns the loss of every step.

    `pairs`        or other examples, such as texts of which a part is learnt (texts.py)
    `groups`       the optimizer's parameter groups, each with its own "lr" (default: `parameter_groups`)
    `checkpoint`   a file that is written now and then, and resumed from if it is there
    `on_step`      called with the step and its loss, for progress bars and curves
    `shard`        under torchrun: each process keeps a share of the model (sharding.py), and does so afterwards too

    Raises ValueError when nothing is trainable, when there are no pairs, when a checkpoint belongs to another run, and
    at a step whose loss is not finite: the weights and the checkpoint are then those of the steps before.
    """
    examples: Examples = Pairs(pairs) if isinstance(pairs, Sequence) else pairs
    if not len(examples):
        raise ValueError("there are no pairs to train on")
    processes, network = Processes(), examples.network(model)
    groups = groups or parameter_groups(model, config.learning_rate, config.weight_decay)
    if shard:
        groups = processes.shard(network, groups)
    shape, device = model.config, next(model.parameters()).device
    optimizer = torch.optim.AdamW(groups, betas=config.betas, eps=1e-9, fused=device.type in ("cpu", "cuda"))
    peaks = [group["lr"] for group in optimizer.param_groups]
    losses = resume(model, optimizer, asdict(config), checkpoint)
    network = (network if shard else processes.parallel(network)).train()
    for step, indices in numbered_batches(examples, config, first=len(losses) + 1):
        rows = processes.parts(len(indices), config.accumulation)
        parts = [examples.collate([indices[row] for row in some or [0]], shape).to(device) for some in rows]
        tokens = processes.tokens(examples.tokens(indices))
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * config.rate_factor(step, shape.d_model)
        with seeded(seed_of(config.seed, step), device):
            drawn = first_positions(len(indices), config.first_position)
            starts = [[drawn[row] for row in some or [0]] for some in rows] if drawn else []
            asked = (optimizer, config, examples.label_padding(shape), starts, step, rows.count([]))
            loss = one_step(network, parts, tokens, *asked)
        losses.append(processes.mean(loss))
        if on_step:
            on_step(step, losses[-1])
        if checkpoint and (step % config.checkpoint_every == 0 or step == config.steps):
            keep(model, optimizer, asdict(config), losses, checkpoint)
    model.eval()
    return losses


def first_positions(rows: int, last: int) -> list[list[int]]:
    """Where each source begins: half of the rows at 0, where they will be read, the others anywhere from 1 to `last`.

    So a model learns what stands beside what, and not where; vectors that a prompt puts in front, which move every word,
    then do no harm by that alone. With `last` 0 nothing is drawn, and the list is empty.
    """
    return torch.randint(-last, last + 1, (rows, 1)).clamp(min=0).tolist() if last else []


def numbered_batches(examples: Examples, config: TrainingConfig, first: int) -> Iterator[tuple[int, list[int]]]:
    """The steps from `first` to the last, each with the indices of its examples; epoch follows epoch."""
    step, epoch = 0, 0
    while step < config.steps:
        for indices in examples.batches(config.max_tokens, config.seed, epoch):
            step += 1
            if first <= step <= config.steps:
                yield step, indices
        epoch += 1


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Inside, random numbers come from the seed alone; outside, they go on as if none had been drawn."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
