"""Training a reward model on pairs: the loss is Bradley-Terry's, the scale is fixed before and after.

Few epochs: a reward model that knows its pairs by heart has a high opinion of its own noise.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from rlhf.config import PairsConfig
from rlhf.preferences import Preferences
from rlhf.reward_model import SCORING_BATCH, RewardModel, preference_loss
from rlhf.run import OnStep, Record, Run, epoch_rows, epoch_steps

COLUMNS = ("loss", "accuracy", "margin", "gain", "shift")


@dataclass(frozen=True, kw_only=True)
class RewardConfig(PairsConfig):
    """The settings of training a reward model: those of every loop over pairs (config.py), and none of its own."""


def train_reward_model(
    model: RewardModel,
    preferences: Preferences,
    config: RewardConfig | None = None,
    samples: tuple[Int[Tensor, "samples source"], Int[Tensor, "samples time"]] | None = None,
    checkpoint: str | Path | None = None,
    on_step: OnStep | None = None,
) -> list[Record]:
    """Trains what requires gradients and returns the loss, the accuracy and the mean margin of every step.

    gain, shift    of the head, the same at every step: a run that is resumed has the scale that it began with

    `samples`      (prompts, responses of the reference), whose rewards get mean 0 and deviation 1
    `checkpoint`   a file that is written now and then, and resumed from if it is there
    `on_step`      is told the number and the measurements of each step
    """
    config = config or RewardConfig()
    preferences.check_ids(model.base.config.vocab_size)
    if samples is not None:
        model.normalize(*samples)
    steps = epoch_steps(len(preferences), config.batch_size, config.epochs)
    run = Run({"reward": model}, {**asdict(config), "steps": steps}, COLUMNS, checkpoint, on_step)
    if run.history:
        model.head.gain.fill_(run.history[-1]["gain"])
        model.head.shift.fill_(run.history[-1]["shift"])
    device = preferences.source.device
    model.eval()
    for step, _ in run.steps():
        batch = preferences.rows(epoch_rows(len(preferences), config.batch_size, step, config.seed, device))
        chosen, rejected = both_rewards(model, batch)
        loss = preference_loss(chosen, rejected)
        run.descend(loss, config.clip_norm)
        margin = (chosen - rejected).detach()
        run.record(
            {
                "loss": float(loss.detach()),
                "accuracy": float((margin > 0).float().mean()),
                "margin": float(margin.mean()),
                "gain": float(model.head.gain),
                "shift": float(model.head.shift),
            }
        )
    if samples is not None:
        model.normalize(*samples)
    return run.history


def both_rewards(model: RewardModel, pairs: Preferences) -> tuple[Tensor, Tensor]:
    """The rewards of the chosen and of the rejected sides, in one pass."""
    config = model.base.config
    rewards = model(*pairs.stacked(config.eos_id, config.pad_id))
    return rewards[: len(pairs)], rewards[len(pairs) :]


@torch.no_grad()
def margins(model: RewardModel, preferences: Preferences) -> Tensor:
    """r(chosen) - r(rejected) of every pair: positive where the model agrees with the judge."""
    rows = torch.arange(len(preferences), device=preferences.source.device).split(SCORING_BATCH)
    both = [both_rewards(model, preferences.rows(some)) for some in rows]
    return torch.cat([chosen - rejected for chosen, rejected in both])
