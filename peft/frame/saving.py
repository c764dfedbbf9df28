"""Keeping: an adapter is a folder with `adapter_config.json` and `adapter_model.safetensors`.

Names and keys are Hugging Face PEFT's (HF's) wherever it has the technique. What is ours alone stands in the config under
one key, "finetune_by_hand": fields that HF does not know, and what base the adapter was trained on.
"""

import warnings
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from reprlib import repr as in_short
from typing import Any

from torch import Tensor, nn

from peft.frame.config import PeftConfig, config_class
from peft.frame.core import Core
from peft.frame.fingerprint import fingerprint
from peft.frame.merging import unload
from peft.frame.names import check_name
from transformer.fields import in_one_line
from transformer.learning.one_save import read_both, write_both
from transformer.learning.reading import as_object, require_folder

CONFIG, TENSORS, OURS = "adapter_config.json", "adapter_model.safetensors", "finetune_by_hand"
FORMAT = 2
"""Format 1 kept a fingerprint of each tensor's first 64 values only."""
BOOKKEEPING = ("task_type", "auto_mapping", "base_model_name_or_path", "revision", "peft_version", "inference_mode")
"""What HF writes about a file's history, which changes nothing that is computed."""
ASLEEP = ("megatron_core", "qalora_group_size")
"""What it always writes, though it counts only where another field is set that we refuse."""


def save_pretrained(core: Core, folder: str | Path) -> None:
    """Writes every adapter: "default" into `folder`, others into a folder of their own inside it.

    After a kill at any instant each of the folders holds its old save or its new one. Raises OSError that names the file,
    and ValueError where there is no adapter, as after a merge.
    """
    if not core.adapters:
        raise ValueError("there is no adapter to save: they were deleted, unloaded or merged")
    for name in core.adapters:
        check_name(name)
    with core.disable_adapter():
        base = fingerprint(core.base_model)
    for name, adapter in core.adapters.items():
        own = require_folder(Path(folder) if name == "default" else Path(folder) / name)
        tensors, config = adapter.config.to_hf(adapter.saved())
        write_both(own / CONFIG, config_to_json(config, base), own / TENSORS, tensors)


def config_to_json(config: PeftConfig, base: str) -> dict[str, Any]:
    """The fields that HF knows under its names, and ours under one key."""
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    ours = {name: values.pop(name) for name in config.ours if name in values}
    theirs = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    empty = {name: None for name in ("modules_to_save", "trainable_token_indices") if not theirs.get(name)}
    return {
        "peft_type": config.peft_type,
        "task_type": None,
        **theirs,
        **empty,
        **config.fields_to_hf(),
        OURS: {"format": FORMAT, "base": base, **ours},
    }


def load(folder: str | Path, base: nn.Module | None) -> tuple[PeftConfig, dict[str, Tensor]]:
    """Config and tensors of a saved adapter. With `base`, raises ValueError when it was trained on another one."""
    path = Path(folder)
    if not (path / TENSORS).exists() and (path / "adapter_model.bin").exists():
        raise ValueError(
            f"{folder} holds adapter_model.bin, a pickle, which may run code when it is read: convert it first"
        )
    values, tensors = read_both(path / CONFIG, path / TENSORS)
    config = config_from_json(values, path / CONFIG)
    if base is not None:
        check_base(values.get(OURS, {}), base, folder)
    return config, tensors


def fill(core: Core, name: str, tensors: Mapping[str, Tensor], folder: str | Path) -> None:
    """Loads into an adapter that is in place; one that does not fit is taken off again, and the last one with its slots."""
    try:
        core.adapters[name].load(tensors, str(folder))
    except ValueError:
        core.delete_adapter(name)
        if not core.adapters:
            unload(core)
        raise


def config_from_json(values: Mapping[str, Any], path: Path) -> PeftConfig:
    """The config of a saved adapter. Raises ValueError for an unknown technique, a newer format, an unknown field."""
    values = dict(values)
    ours = dict(as_object(values.pop(OURS, {}), f"{path}: {OURS}"))
    version = ours.pop("format", FORMAT)
    if type(version) is not int:
        raise ValueError(f"{path}: the format is a whole number, not {in_short(version)}")
    if version > FORMAT:
        raise ValueError(f"{path} was written by a newer version of this library: upgrade it")
    ours.pop("base", None)
    if not values.get("peft_type"):
        raise ValueError(f"{path} names no peft_type: it is no adapter's config")
    cls = config_class(values.pop("peft_type"), path)
    set_values = {
        name: value for name, value in values.items() if value is not None and name not in BOOKKEEPING + ASLEEP
    }
    values = cls.fields_from_hf(set_values)
    known = {field.name for field in fields(cls)}
    needed = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING and f.init]
    if missing := [name for name in needed if name not in values | ours]:
        raise ValueError(f"{path} lacks {in_one_line(missing)}")
    if unknown := sorted(
        name for name, value in (values | ours).items() if name not in known and not is_neutral(value)
    ):
        raise ValueError(f"{path} sets {in_one_line(unknown)}, which {cls.__name__} does not have")
    try:
        return cls(**{name: value for name, value in (values | ours).items() if name in known})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def is_neutral(value: Any) -> bool:
    """A field of HF's config that we lack changes nothing when it is off."""
    return value in (None, False, "", 0, "none") or value == {} or value == []


def check_base(ours: Mapping[str, Any], base: nn.Module, folder: str | Path) -> None:
    """Raises ValueError unless the adapter was trained on this base. Warns where the folder does not say on which."""
    way_out = "pass check_base=False to put it on this one all the same"
    trained_on = ours.get("base")
    if trained_on is None:
        warnings.warn(
            f"{folder} does not say on which base it was trained (Hugging Face PEFT's adapters do not): "
            "only names and shapes are compared with this one",
            stacklevel=4,
        )
    elif ours.get("format", 1) < FORMAT:
        raise ValueError(
            f"{folder} was saved by an older version of this library, which kept another fingerprint of the base: "
            f"whether it was trained on this one cannot be told. If you know that it was, {way_out}, and save it again"
        )
    elif trained_on != (here := fingerprint(base)):
        raise ValueError(f"{folder} was trained on another base ({trained_on}, this one is {here}); {way_out}")
