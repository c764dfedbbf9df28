"""The shipped base: a small Transformer that was pretrained on American English (`python -m lessons pretrain`)."""

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from transformer import Transformer, load_model


def base_folder() -> Path:
    """Where the base lies, inside the package."""
    return Path(str(resources.files("lessons") / "base"))


def base_hash() -> str:
    """A short name of the base's weights: of every value, not of how the file is written."""
    digest = hashlib.sha256()
    for name, tensor in sorted(load_file(base_folder() / "model.safetensors").items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def load_base(device: torch.device | None = None) -> Transformer:
    """The base in evaluation mode, in fp32. Raises FileNotFoundError or ValueError when it is not whole."""
    return load_model(base_folder()).float().to(device or torch.device("cpu"))


def model_card() -> dict[str, Any]:
    """What is known of the base: data, split, seed, steps, seconds, threads, held-out errors."""
    return json.loads((base_folder() / "card.json").read_text(encoding="utf-8"))
