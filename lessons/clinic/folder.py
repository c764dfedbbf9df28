"""What can be told from a saved adapter or model alone: `python -m lessons doctor --model DIR`.

Each function takes the folder and gives one line; a ValueError says what is wrong, and what to do.
"""

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor

from lessons.task.base import load_base
from peft.frame.config import PeftConfig
from peft.frame.fingerprint import fingerprint
from peft.frame.paths import base_modules
from peft.frame.saving import load
from transformer.learning.formats import read_object, read_tensors

ADAPTER, MODEL = "adapter_model.safetensors", "model.safetensors"
OWN_PART = re.compile(r"\.(?=lora_|ia3_|vera_|token_adapter)")
STARTS_AT_ZERO = ("lora_B.weight", "lora_B", "vera_lambda_b")


def tensors_of(folder: Path) -> Mapping[str, Tensor]:
    """Raises FileNotFoundError for a folder that holds neither a model nor an adapter."""
    for name in (ADAPTER, MODEL):
        if (folder / name).is_file():
            return read_tensors(folder / name)[0]
    raise FileNotFoundError(
        f"{folder} holds neither {ADAPTER} nor {MODEL}: give the folder of a saved model or adapter"
    )


def kind(folder: Path) -> str:
    found = tensors_of(folder)
    count = sum(tensor.numel() for tensor in found.values())
    if not (folder / ADAPTER).is_file():
        left = [name for name in found if ".lora_" in name or ".base.weight" in name or ".base_layer." in name]
        if left:
            raise ValueError(f"a model with an adapter still in it ({left[0]}): save what merge_and_unload() returns")
        return f"a model of {count:,} numbers; no adapter stands in it"
    config: PeftConfig = load(folder, None)[0]
    return f"an adapter of {count:,} numbers: {config.peft_type}; not merged, it needs its base"


def numbers(folder: Path) -> str:
    found = tensors_of(folder)
    bad = [name for name, t in found.items() if t.is_floating_point() and not bool(torch.isfinite(t).all())]
    if bad:
        raise ValueError(f"{len(bad)} of {len(found)} tensors hold NaN or infinity, the first {bad[0]}: it diverged")
    return f"all {len(found)} tensors are finite"


def trained(folder: Path) -> str:
    starts = {name: tensor for name, tensor in tensors_of(folder).items() if name.endswith(STARTS_AT_ZERO)}
    still = [name for name, tensor in starts.items() if not bool(tensor.any())]
    if starts and len(still) == len(starts):
        raise ValueError(f"all {len(still)} tensors that begin at 0 are 0, {still[0]} for one: it was never trained")
    return f"{len(still)} of {len(starts)} tensors that begin at 0 still are"


def base(folder: Path) -> str:
    if not (folder / ADAPTER).is_file():
        return "asked of adapters only"
    trained_on = read_object(folder / "adapter_config.json").get("finetune_by_hand", {}).get("base")
    here = fingerprint(load_base())
    if trained_on is None:
        return (
            f"the folder does not say on which it was trained (Hugging Face PEFT's do not); the shipped one is {here}"
        )
    same = "the shipped one" if trained_on == here else f"not the shipped one, {here} (in 4 bits it has another name)"
    return f"trained on {trained_on}, {same}"


def names(folder: Path) -> str:
    """Only where the folder says that it was trained on the shipped base can its names be compared."""
    if not (folder / ADAPTER).is_file():
        return "asked of adapters only"
    model = load_base()
    if read_object(folder / "adapter_config.json").get("finetune_by_hand", {}).get("base") != fingerprint(model):
        return "not compared: its base is not here"
    paths = {path for path, _ in base_modules(model) if path}
    inside = [
        name.removeprefix("base_model.model.") for name in tensors_of(folder) if name.startswith("base_model.model.")
    ]
    lost = [name for name in inside if site_of(name) not in paths and not begins_with(name, paths)]
    if lost:
        raise ValueError(f"{len(lost)} of {len(inside)} names match no module of the base, {lost[0]} for one")
    return f"{len(inside)} names, and each matches a module of the base"


def site_of(name: str) -> str:
    """The module around which the tensor's layer stands, where its name tells."""
    return OWN_PART.split(name)[0]


def begins_with(name: str, paths: Collection[str]) -> bool:
    """For techniques whose tensors do not tell where the module's path ends."""
    return not OWN_PART.search(name) and any(name.startswith(f"{path}.") for path in paths)


def tokenizer(folder: Path) -> str:
    file = folder / "tokenizer.json"
    if not file.is_file() or not (folder / "config.json").is_file():
        return "none beside it"
    rows = int(read_object(folder / "config.json")["vocab_size"])
    known = read_object(file).get("model", {}).get("vocab", {})
    size = 1 + max([*known.values(), *(token["id"] for token in read_object(file).get("added_tokens", []))], default=-1)
    if size > rows:
        raise ValueError(f"the tokenizer has ids up to {size - 1}, the model {rows} rows: they do not belong together")
    return f"ids up to {size - 1}, and {rows} rows"


CHECKS: dict[str, Callable[[Path], str]] = {
    "kind": kind,
    "numbers": numbers,
    "trained": trained,
    "base": base,
    "names": names,
    "tokenizer": tokenizer,
}
