"""Saving and loading: safetensors for numbers, JSON for the rest, never pickle.

    folder/config.json          the TransformerConfig; "model" says which kind it is of, if it is no Transformer
    folder/model.safetensors    every parameter once (tied matrices are stored under one name)

The two files are one save. The tensors take their name first, so a run that is killed then leaves new tensors beside the old
config. Tensors that come with another config than the one that stands there therefore carry it, and the digest of the old
one. `read_both` finds the old one still there and takes what the tensors carry:

    killed        on disk                          the config that counts
    before        old tensors, old config          the file
    in between    new tensors, old config          the one that the tensors carry
    after         new tensors, new config          the file
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from reprlib import repr as in_short
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from transformer.config import TransformerConfig
from transformer.decoder_only import DecoderOnly
from transformer.encoder_only import EncoderOnly, MaskedWordHead
from transformer.fields import in_one_line, the_first
from transformer.learning.files import replace
from transformer.learning.reading import LARGEST_JSON, as_object, parse_json, require_folder
from transformer.model import Transformer

CARRIED, REPLACED = "config", "replaced_config_sha256"
"""What a file of tensors says in its metadata where its config takes the place of another one."""

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


def write_both(config_path: Path, config: Any, tensors_path: Path, tensors: Mapping[str, Tensor]) -> None:
    """A config and its tensors as one save: after a kill at any instant `read_both` finds the old one or the new one.

    Raises OSError that names the file; then both are as they were. Programs that know of no carried config see new tensors
    beside the old config if the kill falls between the two renames, which follow on one another.
    """
    new = json_bytes(config)
    old = config_path.read_bytes() if config_path.is_file() else new
    carried = {} if old == new else {CARRIED: new.decode(), REPLACED: hashlib.sha256(old).hexdigest()}
    replace({tensors_path: tensor_bytes(tensors, carried), config_path: new})


def read_both(config_path: Path, tensors_path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config and tensors of one save, also while another process saves anew. Raises what `read_object` and `read_tensors` do."""
    standing = config_path.read_bytes() if config_path.is_file() else b""
    config = read_object(config_path)
    tensors, metadata = read_tensors(tensors_path)
    if config_path.read_bytes() != standing:
        return read_both(config_path, tensors_path)
    if metadata.get(REPLACED) == hashlib.sha256(standing).hexdigest() and CARRIED in metadata:
        warnings.warn(
            f"{config_path} is of an older save than {tensors_path.name}, and so its own config, which it carries, is taken: "
            "a save was cut short, or the file was put back by hand; saving again puts it right",
            stacklevel=3,
        )
        config = as_object(
            parse_json(metadata[CARRIED], f"{tensors_path}'s config", "save it again"), str(tensors_path)
        )
    return config, tensors


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    write_bytes(path, tensor_bytes(tensors, metadata or {}))


def tensor_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return save(contiguous, {"format": "pt", **metadata})


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors and the metadata of a safetensors file. Raises ValueError for one that is broken or holds NaN."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(str(path), framework="pt") as file:
            tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no whole safetensors file ({error}); it may be truncated: make it again"
        ) from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(
                f"{path} holds NaN or infinite numbers in {in_one_line([name])}: it was damaged, or its training diverged"
            )
    return tensors, metadata or {}


def write_json(path: Path, value: Any) -> None:
    """Raises ValueError, naming the file, for a value that holds NaN or infinity; what stood there stays."""
    try:
        data = json_bytes(value)
    except ValueError as error:
        raise ValueError(f"{path} is not written: a number in it is NaN or infinite ({error})") from error
    write_bytes(path, data)


def json_bytes(value: Any) -> bytes:
    """Raises ValueError for NaN and infinity: they are not in JSON, and `read_json` would refuse the whole file."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_json(path: str | Path) -> Any:
    """What a JSON file holds. Raises FileNotFoundError or ValueError, naming the file."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if (size := Path(path).stat().st_size) > LARGEST_JSON:
        raise ValueError(f"{path} has {size} bytes; {LARGEST_JSON} are the most that is read as JSON")
    return parse_json(Path(path).read_bytes(), str(path), "it may be truncated: make it again")


def read_object(path: str | Path) -> dict[str, Any]:
    """The object that a JSON file holds. Raises what `read_json` raises, and ValueError for anything else in it."""
    return as_object(read_json(path), str(path))


def write_bytes(path: Path, data: bytes) -> None:
    """Whole or not at all. Raises OSError that names the file."""
    replace({path: data})
