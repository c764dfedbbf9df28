"""Which published layer is which of ours, for one checkpoint: read off the table that its tensors are loaded by."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from transformer.pretrained.folder import read_config
from transformer.pretrained.load import family_of

HEAD = "cls."
"""A head stands beside the body of a published model: its layers' names have no beginning."""


@dataclass(frozen=True)
class LayerNames:
    """`table`: the published layer, without its beginning → ours, which may be several in one matrix."""

    table: dict[str, list[str]]
    start: str
    canonical: Callable[[str], str]
    transposed: bool

    def ours(self, path: str) -> list[str]:
        """Our layers for a published one. Raises ValueError for one that we do not have."""
        places = self.table.get(self.canonical(path))
        if places is None:
            raise ValueError(f"{path} is no layer of this checkpoint; there are {', '.join(self.table)}")
        return places

    def published(self, place: str) -> tuple[str, list[str]]:
        """The published layer that one of ours belongs to, and all of ours that do."""
        for path, places in self.table.items():
            if place in places:
                return path if path.startswith(HEAD) else self.start + path, places
        raise ValueError(f"{place} is no layer of this checkpoint's model")


def layer_names(checkpoint: Path) -> LayerNames:
    values = read_config(checkpoint)
    family, architecture = family_of(values, checkpoint)
    with torch.device("meta"):  # only the names are wanted
        model = family.build(values, {})
    table: dict[str, list[str]] = {}
    for name, part in family.parts(model).items():
        if name.endswith(".weight") and part.names[0].endswith(".weight"):
            table.setdefault(part.names[0].removesuffix(".weight"), []).append(name.removesuffix(".weight"))
    return LayerNames(table, family.architectures[architecture], family.canonical, family.transposed)
