"""What is wrong with this run? Every check looks; what is sick is a finding, with its number, its place and the repair.

for finding in diagnose(model, batches, optimizer=optimizer):
    print(finding)
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lessons.clinic.cases import CASES
from lessons.clinic.checks import CHECKS
from lessons.clinic.measurement import Finding, Measurement
from lessons.clinic.run import Run
from lessons.clinic.untouched import untouched


def diagnose(
    model: nn.Module,
    batches: Sequence[Any] = (),
    *,
    optimizer: torch.optim.Optimizer | None = None,
    tokenizer: Any = None,
    config: Any = None,
    base: nn.Module | None = None,
    folder: str | Path | None = None,
    other: Sequence[Any] = (),
    held_out: Sequence[Any] = (),
    loss: Callable[[nn.Module, Sequence[Any]], Tensor] | None = None,
) -> list[Finding]:
    """The findings, or none. Changes nothing: parameters, buffers, random state, mode, gradients, hooks.

    `model`       ours or of transformers, with an adapter (ours or Hugging Face PEFT's) or without
    `batches`     as they go into the loss (reading.py); the first four are read
    `optimizer`   says that the run is in the middle of training; without one the model is in use
    `tokenizer`   the one that made the batches
    `config`      the training's settings: a `learning_rate` in it is the peak, whatever the schedule makes of it at this step
    `base`        the model as it was before: what was merged, and whether rows and four bits are its own
    `folder`      the saved adapter
    `other`       batches of what the base knew, for forgetting
    `held_out`    batches of the test set, which must not be among those trained on
    `loss`        what the training loop minimizes: (model, batches) -> the accumulated loss
    """
    run_settings = {"optimizer": optimizer, "tokenizer": tokenizer, "config": config, "base": base, "folder": folder,
                    "other": other, "held_out": held_out, "loss": loss}  # fmt: skip
    found = [m for m in measure(model, batches, **run_settings) if m.sick]
    return [Finding(m.name, m.number, m.says, m.where, repair_of(m.name)) for m in found]


def measure(model: nn.Module, batches: Sequence[Any] = (), **settings: Any) -> list[Measurement]:
    """Every measurement, healthy ones too; arguments as those of `diagnose`."""
    with untouched(model, settings.get("base")):
        run = Run(model, batches, **settings)
        return [measurement for check in CHECKS for measurement in check.check(run)]


def repair_of(name: str) -> str:
    """What its case says, if there is one."""
    return CASES[name].repair if name in CASES else "no case has this name yet"


def numbers(measurements: Iterable[Measurement], name: str) -> list[Measurement]:
    """Those of one case."""
    return [measurement for measurement in measurements if measurement.name == name]
