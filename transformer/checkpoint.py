"""Saving and loading: safetensors for numbers, JSON for the rest, never pickle.

A file is written beside its name and moved into place: a killed run or a full disk leaves the old file whole.

    folder/config.json          the TransformerConfig
    folder/model.safetensors    every parameter once (tied matrices are stored under one name)
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from transformer.config import TransformerConfig
from transformer.model import Transformer


def save_model(model: Transformer, folder: str | Path) -> None:
    """Writes the model into `folder`, which is made if it is not there."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / "model.safetensors", distinct_state(model))
    write_json(folder / "config.json", model.config.to_dict())


def load_model(folder: str | Path) -> Transformer:
    """The model in evaluation mode. Raises FileNotFoundError or ValueError, naming the file or the tensors."""
    folder = Path(folder)
    model = Transformer(TransformerConfig.from_dict(read_json(folder / "config.json")))
    tensors, _ = read_tensors(folder / "model.safetensors")
    load_state(model, tensors, folder / "model.safetensors")
    return model.eval()


def load_state(model: nn.Module, tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Copies tensors into the model. Every name and shape must fit, or nothing is copied."""
    wanted = distinct_state(model)
    problems = [f"missing {name}" for name in sorted(set(wanted) - set(tensors))]
    problems += [f"unknown {name}" for name in sorted(set(tensors) - set(wanted))]
    problems += [
        f"{name} is {tuple(tensors[name].shape)}, the model's is {tuple(wanted[name].shape)}"
        for name in sorted(set(wanted) & set(tensors))
        if wanted[name].shape != tensors[name].shape
    ]
    if problems:
        raise ValueError(f"{path} does not fit this model: " + "; ".join(problems))
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(tensors[name])


def distinct_state(model: nn.Module) -> dict[str, Tensor]:
    """The state by name, a tensor with several names under its first one only."""
    seen: set[int] = set()
    distinct = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            distinct[name] = tensor.detach()
    return distinct


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(contiguous, {"format": "pt", **(metadata or {})}))


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors and the metadata of a safetensors file."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(str(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no whole safetensors file ({error}); it may be truncated: make it again"
        ) from error


def write_json(path: Path, value: Any) -> None:
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: str | Path) -> Any:
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}); it may be truncated: make it again") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Whole or not at all: the bytes go to a neighbour file, which then takes the name."""
    neighbour = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with neighbour.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        neighbour.replace(path)
    finally:
        neighbour.unlink(missing_ok=True)
