"""What every technique's configuration has in common, and what it answers with: what is put where."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from reprlib import repr as in_short
from typing import Any, ClassVar

from torch import Tensor, nn

from peft.frame.layers import AdaptedLayer
from peft.frame.paths import SITES, base_modules, site_of
from transformer.fields import check_fields

CONFIGS: dict[str, type["PeftConfig"]] = {}
"""peft_type → config class: how a saved adapter finds its technique again. A class adds itself by having a peft_type."""


@dataclass
class Placement:
    """What a technique puts where.

    `layers`      path of a base module → the layer that stands around it
    `parameters`  names of base parameters of which the adapter owns a copy
    `shared`      what several layers use together
    """

    layers: dict[str, AdaptedLayer] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    shared: nn.Module | None = None


@dataclass(frozen=True, kw_only=True)
class PeftConfig:
    """The base of every technique's config: frozen, checked when it is made, lists taken as tuples.

    `sites`                    where the technique may sit (all of SITES by default)
    `trainable_token_indices`  rows of the embedding that are trained besides, e.g. symbols that pretraining never saw
    `modules_to_save`          modules that are trained whole and saved with the adapter

    `peft_type` is the technique's name in a saved adapter. `ours` names the fields that Hugging Face PEFT does not have.
    """

    peft_type: ClassVar[str] = ""
    ours: ClassVar[tuple[str, ...]] = ("sites",)
    sites: Collection[str] = SITES
    trainable_token_indices: Collection[int] = ()
    modules_to_save: Collection[str] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "peft_type" not in cls.__dict__:
            return
        known = CONFIGS.setdefault(cls.peft_type, cls)
        if known.__name__ != cls.__name__:
            raise ValueError(f"peft_type {cls.peft_type!r} of {cls.__name__} is taken by {known.__name__}")
        CONFIGS[cls.peft_type] = cls  # a class that is defined anew, as in a notebook, takes its own place

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, list | set):
                object.__setattr__(self, item.name, tuple(sorted(value) if isinstance(value, set) else value))
        check_fields(self)
        if not self.sites or not set(self.sites) <= set(SITES):
            raise ValueError(f"sites are among {', '.join(SITES)}, not {self.sites}")
        self.check()

    # What a technique writes -------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises ValueError for an impossible value, with the numbers in the message."""

    def fitted(self, model: nn.Module) -> "PeftConfig":
        """The config with what only the base can say filled in."""
        return self

    def place(self, model: nn.Module) -> Placement:
        """What the technique puts where: the one method that every technique writes."""
        raise NotImplementedError

    # How it stands in a folder: as Hugging Face PEFT has it (peft/huggingface/) ----------------------------------

    def key(self, path: str, name: str) -> str:
        """The name under which a tensor is saved."""
        return f"base_model.model.{path}.{name}"

    def to_hf(self, tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], "PeftConfig"]:
        """What is written: tensors and config. Another technique's, where the trained form is not the saved one."""
        return tensors, self

    def from_hf(self, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The inverse: tensors of a file under the names and in the shapes of `wanted`."""
        return tensors

    def fields_to_hf(self) -> dict[str, Any]:
        """Fields that the file needs besides ours."""
        return {}

    @classmethod
    def fields_from_hf(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The fields of a file that are ours."""
        return values

    # Where it may sit --------------------------------------------------------------------------------------------

    def named(self, model: nn.Module, suffixes: Sequence[str]) -> dict[str, nn.Module]:
        """The base modules whose path ends in one of `suffixes` and lies within `sites`."""
        found = {
            path: module
            for path, module in base_modules(model)
            if any(path == suffix or path.endswith(f".{suffix}") for suffix in suffixes) and self.covers(path)
        }
        if not found:
            raise ValueError(f"no module is called {' or '.join(suffixes)} within the sites {', '.join(self.sites)}")
        return found

    def covers(self, path: str) -> bool:
        """Whether a path lies within `sites`; what belongs to no site is left out only when sites are restricted."""
        site = site_of(path)
        return site in self.sites if site else set(self.sites) == set(SITES)


LARGEST_SIZE = 2**20


def check_size(name: str, size: int | None, most: int = LARGEST_SIZE) -> None:
    """Raises ValueError for a size below 1, and for one above `most`: it would take all memory."""
    if size is not None and size < 1:
        raise ValueError(f"{name} {size} must be at least 1")
    if size is not None and size > most:
        raise ValueError(f"{name} {size} must be at most {most}")


def config_class(peft_type: Any, source: str | Path) -> type[PeftConfig]:
    """The technique of that name. Raises ValueError that names the source and lists the names there are."""
    if not isinstance(peft_type, str) or peft_type not in CONFIGS:
        raise ValueError(f"{source} is of peft_type {in_short(peft_type)}; known are {', '.join(sorted(CONFIGS))}")
    return CONFIGS[peft_type]
