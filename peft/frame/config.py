"""What every technique's configuration has in common, and the base's own module paths."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

if TYPE_CHECKING:
    from peft.frame.layers import Placement

SITES = ("encoder_self", "decoder_self", "cross", "feed_forward")
"""The places of an encoder-decoder that a technique can be restricted to."""


@dataclass(frozen=True, kw_only=True)
class PeftConfig:
    """The base of every technique's config: frozen, checked when it is made, lists taken as tuples.

    `sites`                    where the technique may sit (all of SITES by default)
    `trainable_token_indices`  rows of the embedding that are trained besides, e.g. symbols that pretraining never saw
    `modules_to_save`          modules that are trained whole and saved with the adapter

    `ours` names the fields that the published library does not have.
    """

    peft_type: ClassVar[str] = ""
    ours: ClassVar[tuple[str, ...]] = ("sites",)
    sites: Collection[str] = SITES
    trainable_token_indices: Collection[int] = ()
    modules_to_save: Collection[str] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list | set):
                object.__setattr__(self, field.name, tuple(sorted(value) if isinstance(value, set) else value))
        if not self.sites or not set(self.sites) <= set(SITES):
            raise ValueError(f"sites are among {', '.join(SITES)}, not {self.sites}")
        self.check()

    def check(self) -> None:
        """Raises ValueError for an impossible value, with the numbers in the message."""

    def fitted(self, model: nn.Module) -> "PeftConfig":
        """The config with what only the base can say filled in."""
        return self

    def place(self, model: nn.Module) -> "Placement":
        """What the technique puts where: the one method that every technique writes."""
        raise NotImplementedError

    def key(self, path: str, name: str) -> str:
        """The name under which a tensor is saved: the published library's convention."""
        return f"base_model.model.{path}.{name}"

    def exported(self, tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], "PeftConfig"]:
        """What is written to disk. A technique whose trained form differs from its saved one converts here."""
        return tensors, self

    def imported(self, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The inverse of `exported`: tensors from disk under the names and in the shapes of `wanted`."""
        return tensors

    def published_extras(self) -> dict[str, Any]:
        """Fields that the published library needs besides ours."""
        return {}

    @classmethod
    def from_published(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The fields of a saved config in our own names."""
        return values

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


def site_of(path: str) -> str | None:
    """The place that a module path belongs to; None for embeddings, output and final norms."""
    if "cross_attention" in path:
        return "cross"
    if "feed_forward" in path:
        return "feed_forward"
    if "self_attention" in path:
        return "encoder_self" if path.startswith("encoder") else "decoder_self"
    return None


def base_modules(model: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Every module of the base by its own path, as if no adapter were there."""
    model = getattr(model, "adapted_base", model)
    yield path, model
    for name, child in model.named_children():
        yield from base_modules(child, f"{path}.{name}" if path else name)
