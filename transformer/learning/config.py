"""How a training runs: every setting, checked once and never changed."""

from dataclasses import dataclass
from typing import Literal

from transformer.fields import check_fields
from transformer.learning.schedule import constant_schedule, cosine_schedule, noam_schedule


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of a run; the defaults suit a small model.

    `steps`              batches, counted from 1
    `learning_rate`      the peak; with schedule "noam" a factor of the paper's rate
    `schedule`           what the rate does after its warm-up: "cosine" down to 0, "constant", "noam" (schedule.py)
    `warmup`             steps in which the rate rises
    `max_tokens`         target tokens of a batch, padding counted (batching.py)
    `accumulation`       parts in which a batch is computed, one after the other: the same step with less memory
    `betas`              AdamW's decay of the mean of the gradients and of their squares
    `weight_decay`       AdamW's pull of matrices towards 0, in parts of the rate
    `clip_norm`          a gradient longer than this is shortened to it
    `label_smoothing`    ε: the share of probability that is wanted of all tokens alike (loss.py)
    `never`              ids that the model is never to say: they get no probability and no share of the smoothing (loss.py)
    `precision`          "bf16": products in 16 bits (autocast), weights in 32
    `seed`               of the order of the pairs and of dropout
    `checkpoint_every`   steps between two checkpoints
    `first_position`     the last position at which a source may begin (`first_positions`); 0: all begin at 0

    Raises ValueError for an impossible value, with the number in the message.
    """

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
    first_position: int = 0
    accumulation: int = 1

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("steps", "warmup", "max_tokens", "checkpoint_every", "accumulation"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        for name in ("weight_decay", "first_position"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative: {getattr(self, name)}")
        for name, share in (("label_smoothing", self.label_smoothing), *(("betas", beta) for beta in self.betas)):
            if not 0.0 <= share < 1.0:
                raise ValueError(f"{name} must lie in [0, 1), not {share}")

    def rate_factor(self, step: int, d_model: int) -> float:
        """What the peak rates are multiplied with at this step."""
        if self.schedule == "noam":
            return noam_schedule(step, d_model, self.warmup)
        if self.schedule == "constant":
            return constant_schedule(step, self.warmup)
        return cosine_schedule(step, self.steps, self.warmup)
