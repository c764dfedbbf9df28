"""Keeping a run: what a killed training needs to go on as if nothing had happened.

One file holds the parameters that the optimizer trains, its moments, the losses so far and the settings of the run. What no
loss has reached yet has no moments.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from transformer.learning.distributed import Processes
from transformer.learning.formats import read_tensors, write_tensors
from transformer.learning.shares import shared_like, whole

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def keep(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    settings: Mapping[str, Any],
    losses: list[float],
    path: str | Path,
) -> None:
    """Writes the state of a run, whole or not at all. Of several processes all call it, and the first one writes."""
    first, tensors = Processes().rank == 0, {}
    for name, parameter in trained(model, optimizer).items():
        for kind, tensor in {"model": parameter, **optimizer.state.get(parameter, {})}.items():
            gathered = whole(tensor.detach())
            if first:
                tensors[f"{kind}.{name}"] = gathered.cpu()
    if not first:
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_tensors(Path(path), tensors, {"settings": json.dumps(settings), "losses": json.dumps(losses)})


def resume(
    model: nn.Module, optimizer: torch.optim.Optimizer, settings: Mapping[str, Any], path: str | Path | None
) -> list[float]:
    """Puts a kept state back and returns the losses so far; without a file it is a fresh start.

    Raises ValueError for a file that was kept by another run.
    """
    if path is not None and Path(path).is_dir():
        raise ValueError(
            f"{path} is a folder, and a file is wanted: name one in it, such as {Path(path) / 'run.safetensors'}"
        )
    if path is None or not Path(path).exists():
        return []
    tensors, metadata = read_tensors(path)
    if metadata.get("settings") != json.dumps(settings):
        raise ValueError(
            f"{path} was kept by a run with other settings, {metadata.get('settings')}: name another file or remove it"
        )
    learnt = trained(model, optimizer)
    reached = {name for name in learnt if f"{MOMENTS[0]}.{name}" in tensors}
    wanted = {f"model.{name}" for name in learnt} | {f"{moment}.{name}" for name in reached for moment in MOMENTS}
    if wanted != set(tensors):
        raise ValueError(f"{path} was kept by another model: it differs in {sorted(wanted ^ set(tensors))[:8]}")
    for name, parameter in learnt.items():
        if tensors[f"model.{name}"].shape != parameter.shape:
            have, want = tuple(tensors[f"model.{name}"].shape), tuple(parameter.shape)
            raise ValueError(f"{path} was kept by another model: its {name} is {have}, this model's is {want}")
    for name, parameter in learnt.items():
        with torch.no_grad():
            parameter.copy_(shared_like(parameter, tensors[f"model.{name}"]))
        if name in reached:
            optimizer.state[parameter] = {key: shared_like(parameter, tensors[f"{key}.{name}"]) for key in MOMENTS}
    return json.loads(metadata["losses"])


def trained(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, nn.Parameter]:
    """The model's parameters that the optimizer has, by name."""
    known = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    return {name: parameter for name, parameter in model.named_parameters() if id(parameter) in known}
