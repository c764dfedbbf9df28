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
from torch.overrides import TorchFunctionMode

from transformer.config import TransformerConfig
from transformer.decoder_only import DecoderOnly
from transformer.encoder_only import EncoderOnly, MaskedWordHead
from transformer.fields import in_one_line, the_first
from transformer.learning.one_save import read_both, write_both
from transformer.learning.reading import require_folder
from transformer.model import Transformer

WAY_OUT = "merge or unload an adapter first, or call its save_pretrained; make layers in four bits linear ones again"
ONE_STACK: dict[str, type[EncoderOnly] | type[DecoderOnly]] = {"EncoderOnly": EncoderOnly, "DecoderOnly": DecoderOnly}


def save_model(model: Transformer | EncoderOnly | DecoderOnly, folder: str | Path) -> None:
    """Writes the model into `folder`, which is made if it is not there. A kill leaves the old model or the new one.

    Raises OSError that names the file, and TypeError, before anything is written, for a model that `load_model` could not make
    again: one with a head of your own, with an adapter, or with layers in four bits.
    """
    if not isinstance(model, Transformer | EncoderOnly | DecoderOnly):
        raise TypeError(f"save_model takes a model itself, not a {type(model).__name__}: {WAY_OUT}")
    if isinstance(model, EncoderOnly) and not isinstance(model.output, nn.Identity | MaskedWordHead):
        raise TypeError(
            f"an encoder-only model is saved with a MaskedWordHead or none, not {type(model.output).__name__}: "
            "save the head beside it with safetensors"
        )
    kind = next(({"model": name} for name, one_stack in ONE_STACK.items() if isinstance(model, one_stack)), {})
    config, tensors = model.config.to_dict() | kind, distinct_state(model)
    check_made_again(config, tensors)
    folder = require_folder(folder)
    write_both(folder / "config.json", config, folder / "model.safetensors", tensors)


def load_model(folder: str | Path) -> Any:
    """The model in evaluation mode, of the kind that was saved: a Transformer, an EncoderOnly or a DecoderOnly.

    Raises FileNotFoundError or ValueError, naming the file or the tensors.
    """
    folder = Path(folder)
    values, tensors = read_both(folder / "config.json", folder / "model.safetensors")
    model = empty_model(values, tensors, folder / "config.json")
    load_state(model, tensors, folder / "model.safetensors")
    return model.eval()


def check_made_again(config: dict[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Raises TypeError where the model of this config does not have these tensors."""
    with Undrawn():
        again = empty_model(config, tensors, Path("config.json"))
    if problems := differences(again, tensors):
        raise TypeError(f"load_model could not make this model again: {the_first(problems, most=3)}: {WAY_OUT}")


class Undrawn(TorchFunctionMode):
    """Inside, no first weights are drawn: nobody reads them, and their memory is never touched.

    Where there is no room for them, on the meta device, torch would load all of its compiler to draw them.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Whatever is called, but for the draws that fill a tensor in place."""
        if getattr(func, "__name__", "") in ("normal_", "uniform_", "kaiming_uniform_"):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def empty_model(
    values: dict[str, Any], tensors: Mapping[str, Tensor], path: Path
) -> Transformer | EncoderOnly | DecoderOnly:
    """The model of a config.json, not filled yet.

    `tensors`   that will fill it. They say whether an encoder-only model guesses masked words; and a size beyond the longest
                side of them all is refused, before it takes all memory
    """
    kind = values.get("model", "Transformer")
    if kind not in ["Transformer", *ONE_STACK]:
        raise ValueError(f"{path} is of a model {in_short(kind)}; known are Transformer, {', '.join(ONE_STACK)}")
    try:
        config = TransformerConfig.from_dict({name: value for name, value in values.items() if name != "model"})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    longest = longest_side(tensors)
    for name in ("vocab_size", "d_model", "d_ff"):
        if (size := getattr(config, name)) > longest:
            sides = f"{path.name} says {name} {size}, and the longest side of a tensor is {longest}"
            raise ValueError(f"{path.with_name('model.safetensors')} does not fit this model: {sides}")
    if kind == "EncoderOnly":
        headed = any(name.startswith("output.") for name in tensors)
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
    """Raises ValueError for tensors that the model lacks or that it has in another shape."""
    if problems := differences(model, tensors):
        raise ValueError(f"{path} does not fit this model: {the_first(problems)}")


def differences(model: nn.Module, tensors: Mapping[str, Tensor]) -> list[str]:
    """What the model lacks of these tensors, what it has beyond them, and what it has in another shape."""
    wanted = distinct_state(model)
    problems = [f"missing {name}" for name in sorted(set(wanted) - set(tensors))]
    problems += [f"unknown {in_one_line([name])}" for name in sorted(set(tensors) - set(wanted))]
    return problems + [
        f"{name} is {tuple(tensors[name].shape)}, the model's is {tuple(wanted[name].shape)}"
        for name in sorted(set(wanted) & set(tensors))
        if wanted[name].shape != tensors[name].shape
    ]


def distinct_state(model: nn.Module) -> dict[str, Tensor]:
    """The state by name, a tensor with several names under its first one only."""
    seen: set[int] = set()
    distinct = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            distinct[name] = tensor.detach()
    return distinct
