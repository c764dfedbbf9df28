"""Which layer of Hugging Face's model is which of ours, for one checkpoint: read off the table of its tensors' origins."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from transformer.pretrained.folder import read_config
from transformer.pretrained.load import family_of

HEADS = ("cls.", "lm_head")
"""BERT's head and a Llama's stand beside the body of HF's model: their layers' names have no beginning."""


@dataclass(frozen=True)
class LayerNames:
    """Both ways between the two models' names.

    `table`        HF's layer, without its beginning → ours, which may be several in one matrix
    `start`        what HF's model puts before the names of `table`
    `canonical`    HF's name → the one in `table`
    `transposed`   whether HF's model keeps its matrices as (in, out)
    """

    table: dict[str, list[str]]
    start: str
    canonical: Callable[[str], str]
    transposed: bool

    def ours(self, path: str) -> list[str]:
        """Our layers for one of HF's. Raises ValueError for one that we do not have."""
        layers = self.table.get(self.canonical(path))
        if layers is None:
            raise ValueError(f"{path} is no layer of this checkpoint; there are {', '.join(self.table)}")
        return layers

    def theirs(self, path: str) -> tuple[str, list[str]]:
        """HF's layer that one of ours belongs to, and all of ours that do. Raises ValueError for one that it lacks."""
        for name, layers in self.table.items():
            if path in layers:
                return name if name.startswith(HEADS) else self.start + name, layers
        raise ValueError(f"{path} is no layer of this checkpoint's model")


def layer_names(checkpoint: Path) -> LayerNames:
    """The names for the checkpoint in this folder, of which only config.json is read. Raises as `load_pretrained` does."""
    values = read_config(checkpoint)
    family, architecture = family_of(values, checkpoint)
    with torch.device("meta"):  # only the names are wanted
        model = family.build(values, {})
    table: dict[str, list[str]] = {}
    for ours, origin in family.origins(model).items():
        theirs = origin.names[0]
        if ours.endswith(".weight") and theirs.endswith(".weight"):
            table.setdefault(theirs.removesuffix(".weight"), []).append(ours.removesuffix(".weight"))
    return LayerNames(table, family.architectures[architecture], family.canonical, family.transposed)
