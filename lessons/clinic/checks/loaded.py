"""Do the saved and the loaded adapter agree? share of saved tensors that the model does not hold"""

from collections.abc import Iterator

import torch

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run
from peft.frame.core import Core
from transformer.learning.formats import read_tensors


def check(run: Run) -> Iterator[Measurement]:
    if run.folder is None or not run.adapted or run.optimizer is not None:
        return
    saved, held = read_tensors(run.folder / "adapter_model.safetensors")[0], held_by(run)
    known = [name for name in saved if name in held]
    if not known:  # a technique whose file has names of its own
        return
    other = [name for name in known if not torch.equal(saved[name].float(), held[name].float().cpu())]
    says = f"{len(other)} of {len(known)} tensors of the folder have other numbers in the model"
    yield Measurement("adapter-not-loaded", len(other) / len(known), says, bool(other), other[0] if other else "")


def held_by(run: Run) -> dict[str, torch.Tensor]:
    """What the model holds, by the names in an adapter's file."""
    if isinstance(run.model, Core):
        adapter = next(iter(run.model.adapters.values()))
        return adapter.config.to_hf(adapter.saved())[0]
    return {name.replace(".default", ""): parameter.detach() for name, parameter in run.own.items()}
