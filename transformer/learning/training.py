"""Training: the loop that turns pairs of sequences into weights.

    θ ← AdamW(θ, clip(∇ L(θ)))        L = label-smoothed cross-entropy, teacher forcing

Step n draws its batch and its dropout from (seed, n) alone, so a run that is killed and resumed ends with equal weights.
Under `torchrun` each process takes its share of the rows of every batch; the losses are those of one process.

Papers    "Attention Is All You Need" (1706.03762), section 5; AdamW: "Decoupled Weight Decay" (1711.05101)
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from transformer.learning.batching import Pair, collate, epoch_batches
from transformer.learning.loss import label_smoothed_cross_entropy
from transformer.learning.resume import keep, resume
from transformer.learning.schedule import constant_schedule, cosine_schedule, noam_schedule


@dataclass(frozen=True)
class TrainingConfig:
    """`learning_rate` is the peak; with schedule "noam" it is a factor of the paper's rate. `never`: see loss.py."""

    steps: int
    learning_rate: float = 1e-3
    schedule: Literal["cosine", "constant", "noam"] = "cosine"
    warmup: int = 100
    max_tokens: int = 3000
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    label_smoothing: float = 0.0
    never: tuple[int, ...] = ()
    precision: Literal["fp32", "bf16"] = "fp32"
    seed: int = 0
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        for name in ("steps", "warmup", "max_tokens", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        if not self.weight_decay >= 0.0:
            raise ValueError(f"weight_decay must not be negative: {self.weight_decay}")
        for name, share in (("label_smoothing", self.label_smoothing), *(("betas", beta) for beta in self.betas)):
            if not 0.0 <= share < 1.0:
                raise ValueError(f"{name} must lie in [0, 1), not {share}")
        if self.schedule not in ("cosine", "constant", "noam") or self.precision not in ("fp32", "bf16"):
            raise ValueError(f"unknown schedule {self.schedule!r} or precision {self.precision!r}")

    def rate_factor(self, step: int, d_model: int) -> float:
        if self.schedule == "noam":
            return noam_schedule(step, d_model, self.warmup)
        if self.schedule == "constant":
            return constant_schedule(step, self.warmup)
        return cosine_schedule(step, self.steps, self.warmup)


def parameter_groups(model: nn.Module, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
    """Decay pulls matrices towards 0, never biases, gains or other vectors."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise ValueError("nothing is trainable: every parameter is frozen")
    matrices = [parameter for parameter in trainable if parameter.dim() >= 2]
    vectors = [parameter for parameter in trainable if parameter.dim() < 2]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [{**group, "lr": learning_rate} for group in groups if group["params"]]


def train(
    model: Any,
    pairs: Sequence[Pair],
    config: TrainingConfig,
    groups: list[dict[str, Any]] | None = None,
    checkpoint: str | Path | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Trains what requires gradients and returns the loss of every step.

    `groups`       the optimizer's parameter groups, each with its own "lr" (default: `parameter_groups`)
    `checkpoint`   a file that is written now and then, and resumed from if it is there
    `on_step`      called with the step and its loss, for progress bars and curves

    Raises ValueError when nothing is trainable, when there are no pairs, or when a checkpoint belongs to another run.
    """
    if not pairs:
        raise ValueError("there are no pairs to train on")
    shape, device = model.config, next(model.parameters()).device
    groups = groups or parameter_groups(model, config.learning_rate, config.weight_decay)
    optimizer = torch.optim.AdamW(groups, betas=config.betas, eps=1e-9, fused=device.type in ("cpu", "cuda"))
    peaks = [group["lr"] for group in optimizer.param_groups]
    settings = asdict(config)
    losses = resume(model, optimizer, settings, checkpoint)
    world = distributed.get_world_size() if distributed.is_initialized() else 1
    rank = distributed.get_rank() if world > 1 else 0
    parallel = DistributedDataParallel(model) if world > 1 else model
    model.train()
    for step, indices in numbered_batches(pairs, config, first=len(losses) + 1):
        count = sum(len(pairs[index][1]) for index in indices)
        mine = indices[rank::world] or indices[:1]  # a process without a row computes one that counts for nothing
        batch = collate([pairs[index] for index in mine], shape.pad_id, shape.bos_id).to(device)
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * config.rate_factor(step, shape.d_model)
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(config.seed * 1_000_003 + step)
            with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
                logits = parallel(batch.source, batch.inputs)
            total = label_smoothed_cross_entropy(
                logits, batch.labels, config.label_smoothing, shape.pad_id, config.never, reduction="sum"
            )
            share = total / count * (1.0 if indices[rank::world] else 0.0)
            optimizer.zero_grad(set_to_none=True)
            (share * world).backward()  # DistributedDataParallel averages; the loss is a sum of shares
        torch.nn.utils.clip_grad_norm_([p for group in groups for p in group["params"]], config.clip_norm)
        optimizer.step()
        losses.append(whole(share.detach(), world))
        if on_step:
            on_step(step, losses[-1])
        if checkpoint and rank == 0 and (step % config.checkpoint_every == 0 or step == config.steps):
            keep(model, optimizer, settings, losses, checkpoint)
    model.eval()
    return losses


def numbered_batches(pairs: Sequence[Pair], config: TrainingConfig, first: int) -> Iterator[tuple[int, list[int]]]:
    step, epoch = 0, 0
    while step < config.steps:
        for indices in epoch_batches(pairs, config.max_tokens, config.seed, epoch):
            step += 1
            if first <= step <= config.steps:
                yield step, indices
        epoch += 1


def whole(share: Tensor, world: int) -> float:
    if world > 1:
        distributed.all_reduce(share)
    return float(share)
