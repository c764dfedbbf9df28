"""Reading a Hugging Face folder: `config.json` and safetensors, in one file or in shards. Nothing is ever unpickled."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from transformer.fields import in_one_line, require_integer
from transformer.learning.checkpoint import longest_side
from transformer.learning.formats import read_object, read_tensors

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SIZES = ("vocab_size", "d_model", "hidden_size", "n_embd", "n_inner", "intermediate_size", "encoder_ffn_dim")
"""What config.json may call a side of a matrix, in all families."""


def read_config(folder: Path) -> dict[str, Any]:
    """The settings in config.json. Raises FileNotFoundError or ValueError where it is missing or holds none."""
    return read_object(folder / "config.json")


def check_sizes(values: Mapping[str, Any], tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raises ValueError for a size that is no integer, or that no tensor has: before a model takes all memory."""
    longest = longest_side(tensors)
    for name in SIZES:
        if values.get(name) is None:
            continue
        require_integer(f"{path}: {name}", values[name], at_least=1)
        if values[name] > longest:
            raise ValueError(f"{path} says {name} {values[name]}; the longest side of a tensor beside it is {longest}")


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Every tensor of the folder by its name there.

    Raises FileNotFoundError where there are none, and ValueError for a pickle, a file that is not whole, or an index that
    does not fit its files.
    """
    if (folder / WEIGHTS).is_file():
        tensors, _ = read_tensors(folder / WEIGHTS)
        return tensors
    if (folder / INDEX).is_file():
        return read_shards(folder)
    if pickles := sorted(path.name for path in folder.glob("pytorch_model*")):
        raise ValueError(
            f"{folder} holds {', '.join(pickles)}, a pickle: reading it can run any program that is hidden in it. "
            f"Take the folder's {WEIGHTS}, or let transformers write one: save_pretrained({str(folder)!r})"
        )
    raise FileNotFoundError(f"there is no {WEIGHTS} and no {INDEX} in {folder}")


def read_shards(folder: Path) -> dict[str, Tensor]:
    """The files that the index names. Each must be a plain file name, be there, and hold what the index says.

    Raises FileNotFoundError or ValueError, naming the file.
    """
    places = read_object(folder / INDEX).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise ValueError(f"{folder / INDEX} has no weight_map from tensors to file names")
    shards = sorted(set(places.values()))
    if outside := [name for name in shards if name in ("", ".", "..") or "/" in name or "\\" in name]:
        raise ValueError(f"{folder / INDEX} names files outside its folder: {outside[:8]}")
    if missing := [name for name in shards if not (folder / name).is_file()]:
        raise FileNotFoundError(f"{folder / INDEX} names {len(shards)} files; missing are {in_one_line(missing)}")
    tensors: dict[str, Tensor] = {}
    for shard in shards:
        found, _ = read_tensors(folder / shard)
        promised = {name for name, place in places.items() if place == shard}
        if promised != set(found):
            raise ValueError(f"{folder / shard} and the index differ in {sorted(promised ^ set(found))[:8]}")
        tensors |= found
    return tensors
