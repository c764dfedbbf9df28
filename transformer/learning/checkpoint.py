"""A model in a folder: safetensors for numbers, JSON for the rest, never pickle.

    folder/config.json          the TransformerConfig; "model" says which kind it is of, if it is no Transformer
    folder/model.safetensors    every parameter once (tied matrices are stored under one name)

The two files are one save (one_save.py).
"""

from collections.abc import Mapping
from pathlib import Path
from reprlib import repr as in_short
from typing import Any

import torch
from torch import Tensor, nn

from transformer.config import TransformerConfig
from transformer.decoder_only import DecoderOnly
from transformer.encoder_only import EncoderOnly, MaskedWordHead
from transformer.fields import in_one_line, the_first
from transformer.learning.one_save import read_both, write_both
from transformer.learning.reading import require_folder
from transformer.model import Transformer

ONE_STACK: dict[str, type[EncoderOnly] | type[DecoderOnly]] = {"EncoderOnly": EncoderOnly, "DecoderOnly": DecoderOnly}


def save_model(model: Transformer | EncoderOnly | DecoderOnly, folder: str | Path) -> None:
    """Writes the model into `folder`, which is made if it is not there. A kill leaves the old model or the new one.

    Raises OSError that names the file, and TypeError for an encoder-only model with a head of your own: `load_model` could not make it again.
    """
    if isinstance(model, EncoderOnly) and not isinstance(model.output, nn.Identity | MaskedWordHead):
        raise TypeError(
            f"an encoder-only model is saved with a MaskedWordHead or none, not {type(model.output).__name__}: "
            "save the head beside it with safetensors"
        )
    folder = require_folder(folder)
    kind = next(({"model": name} for name, one_stack in ONE_STACK.items() if isinstance(model, one_stack)), {})
    config = model.config.to_dict() | kind
    write_both(folder / "config.json", config, folder / "model.safetensors", distinct_state(model))


def load_model(folder: str | Path) -> Any:
    """The model in evaluation mode, of the kind that was saved: a Transformer, an EncoderOnly or a DecoderOnly.

    Raises FileNotFoundError or ValueError, naming the file or the tensors.
    """
    folder = Path(folder)
    values, tensors = read_both(folder / "config.json", folder / "model.safetensors")
    headed = any(name.startswith("output.") for name in tensors)
    model = empty_model(values, headed, folder / "config.json", longest_side(tensors))
    load_state(model, tensors, folder / "model.safetensors")
    return model.eval()


def empty_model(
    values: dict[str, Any], headed: bool, path: Path, longest: int
) -> Transformer | EncoderOnly | DecoderOnly:
    """The model of a config.json, not filled yet. `headed`: whether an encoder-only model guesses masked words.

    `longest`   the longest side of a tensor that will fill it: a larger size is refused, before it takes all memory
    """
    kind = values.get("model", "Transformer")
    if kind not in ["Transformer", *ONE_STACK]:
        raise ValueError(f"{path} is of a model {in_short(kind)}; known are Transformer, {', '.join(ONE_STACK)}")
    try:
        config = TransformerConfig.from_dict({name: value for name, value in values.items() if name != "model"})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    for name in ("vocab_size", "d_model", "d_ff"):
        if (size := getattr(config, name)) > longest:
            sides = f"{path.name} says {name} {size}, and the longest side of a tensor is {longest}"
            raise ValueError(f"{path.with_name('model.safetensors')} does not fit this model: {sides}")
    if kind == "EncoderOnly":
        return EncoderOnly(config, MaskedWordHead(config) if headed else None)
    return DecoderOnly(config) if kind == "DecoderOnly" else Transformer(config)


def longest_side(tensors: Mapping[str, Tensor]) -> int:
    """Of all matrices and vectors."""
    return max((side for tensor in tensors.values() for side in tensor.shape), default=0)


def load_state(model: nn.Module, tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Copies tensors into the model. Every name and shape must fit, or nothing is copied."""
    check_state(model, tensors, path)
    with torch.no_grad():
        for name, tensor in distinct_state(model).items():
            tensor.copy_(tensors[name])


def check_state(model: nn.Module, tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Raises ValueError, with all of them, for tensors that the model lacks or that it has in another shape."""
    wanted = distinct_state(model)
    problems = [f"missing {name}" for name in sorted(set(wanted) - set(tensors))]
    problems += [f"unknown {in_one_line([name])}" for name in sorted(set(tensors) - set(wanted))]
    problems += [
        f"{name} is {tuple(tensors[name].shape)}, the model's is {tuple(wanted[name].shape)}"
        for name in sorted(set(wanted) & set(tensors))
        if wanted[name].shape != tensors[name].shape
    ]
    if problems:
        raise ValueError(f"{path} does not fit this model: {the_first(problems)}")


def distinct_state(model: nn.Module) -> dict[str, Tensor]:
    """The state by name, a tensor with several names under its first one only."""
    seen: set[int] = set()
    distinct = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            distinct[name] = tensor.detach()
    return distinct
