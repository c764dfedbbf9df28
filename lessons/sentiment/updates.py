"""Learning on an adapter and the head above it, the same for mean ratings and for preferences: AdamW.

rate(step) = peak · cosine with a warm-up of a tenth        ‖gradient‖ ≤ 1        β = (0.9, 0.98)
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lessons.sentiment.model import SentimentModel, as_batch
from lessons.task.machine import bf16_pays
from peft import recipe
from transformer.learning.batching import epoch_batches
from transformer.learning.schedule import cosine_schedule

BATCH_TOKENS = 1024


class Updates:
    """`steps` updates of what `method` trains, at `rate`, and of the head, at `head_rate`. "head" trains the head alone."""

    def __init__(self, model: SentimentModel, method: str, rate: float, head_rate: float, steps: int):
        groups = recipe(method).groups(model.encoder, rate, 0.01) if method != "head" else []
        groups.append({"params": list(model.head.parameters()), "lr": head_rate, "weight_decay": 0.0})
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]
        self.trained = [parameter for group in groups for parameter in group["params"]]
        self.steps, self.losses = steps, list[float]()

    def take(self, loss: Tensor) -> float:
        """One update along the gradient of `loss`, whose value is kept in `losses` and returned."""
        step = len(self.losses) + 1
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * cosine_schedule(step, self.steps, warmup=max(1, self.steps // 10))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.losses.append(loss.item())
        return self.losses[-1]


def train(
    model: SentimentModel,
    method: str,
    rows: Sequence[Sequence[int]],
    targets: Sequence[float],
    steps: int,
    rate: float,
    head_rate: float,
    seed: int,
    on_step: Callable[[int, float], None],
) -> list[float]:
    """Learn the mean ratings of `rows`; the loss of every step."""
    updates = Updates(model, method, rate, head_rate, steps)
    device = model.head.weight.device
    torch.manual_seed(seed)
    model.train(method != "head")  # without dropout where only the head learns
    for epoch in range(steps):
        for indices in epoch_batches([(row, row) for row in rows], BATCH_TOKENS, seed, epoch):
            source = as_batch(model.encoder, [rows[index] for index in indices]).to(device)
            wanted = torch.tensor([targets[index] for index in indices], device=device)
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16_pays(device)):
                scores = model(source)
            loss = updates.take((scores.float() - wanted).square().mean())
            on_step(len(updates.losses), loss)
            if len(updates.losses) == steps:
                model.eval()
                return updates.losses
    return updates.losses
