"""The two formats on disk: safetensors for numbers, JSON for the rest, never pickle. Each file is whole or not there."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from transformer.fields import in_one_line
from transformer.learning.files import replace
from transformer.learning.reading import LARGEST_JSON, as_object, parse_json


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
