"""PILL: one small expert for each type of token, and a gate that lets a new type in little by little.

    feed forward          FFN(x + GLU_t(x))         t: the token's type, so the routing is given and not learned
    self-attention        reads x + GLU(x)          one adapter for all types
    values, per head      tanh(W_g x) · V           of new types only: in the encoder's self-attention, and in the
                                                    cross-attention, where x is the encoder's memory

Type 0 is what the base knows, types 1, 2, ... are new: in the paper images for a language model, here any kind of token.
Stage 1 trains the new types' experts alone, without gates, and in the last layer of each stack known and new change
places, so that known tokens too pass through what is trained. Stage 2 trains everything, and the gates start shut.

Changes   the input of a sub-layer (place 2) and the values of an attention (place 3)
Trains    3 r d for each expert (one per type and feed forward) and each self-attention; d · heads for each gate
Identity at start   where every token is of type 0: U = 0. A new token's values are 0, yet its key draws attention
Merges    no: φ is not linear, and a token's type decides
Paper     "PILL" (arXiv 2311.02126), r = 32: a decoder that reads images and text. The encoder-decoder form is ours
"""

import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from peft.frame.config import PeftConfig, Placement
from peft.frame.core import Core
from peft.frame.paths import base_modules, site_of
from peft.low_rank import check_rank
from peft.pill_layers import (
    AdaptedSelfAttention,
    GatedValues,
    GLUAdapter,
    PillLayer,
    RoutedFeedForward,
    TokenTypes,
    ValueGate,
)


@dataclass(frozen=True)
class PillConfig(PeftConfig):
    """Hugging Face PEFT has no PILL.

    `r`            the adapters' rank
    `token_types`  the type of every vocabulary id; without it every token is of type 0, and a warning says so
    `stage`        1 or 2; `set_stage` goes from one to the other
    """

    r: int = 8
    token_types: Collection[int] = ()
    stage: int = 2
    peft_type: ClassVar[str] = "PILL"

    def check(self) -> None:
        """Raises ValueError for an unknown stage and for types below 0."""
        if self.stage not in (1, 2):
            raise ValueError(f"stage is 1 or 2, not {self.stage}")
        if any(kind < 0 for kind in self.token_types):
            raise ValueError(f"token types count from 0, so {min(self.token_types)} is none")

    def place(self, model: nn.Module) -> Placement:
        """An expert for each type in every feed forward, an adapter in every self-attention, a gate at the values."""
        layers = dict(self.layers(model, TokenTypes(self.types_of(model))))
        if not layers:
            raise ValueError(f"PILL has no place within the sites {', '.join(self.sites)} of this base")
        for layer in layers.values():
            layer.enter_stage(self.stage)
        return Placement(dict(layers))

    def key(self, path: str, name: str) -> str:
        """A value gate is saved as `gate`."""
        return super().key(path, name.replace("value_gate", "gate"))

    def types_of(self, model: nn.Module) -> list[int]:
        """The type of every id of the vocabulary. Raises ValueError where there is no encoder to read them."""
        vocab = model.config.vocab_size
        if not hasattr(model, "encoder"):
            raise ValueError("PILL needs a base with an encoder: there the types of the tokens are read")
        if not self.token_types:
            warnings.warn("token_types is empty: PILL takes every token for a known one, of type 0", stacklevel=2)
        if self.token_types and len(self.token_types) != vocab:
            raise ValueError(f"{len(self.token_types)} token types came for a vocabulary of {vocab}")
        return list(self.token_types) or [0] * vocab

    def layers(self, model: nn.Module, types: TokenTypes) -> Iterator[tuple[str, PillLayer]]:
        """Every layer with the path of the base module that it stands around."""
        d_model, heads = model.config.d_model, model.config.num_heads
        check_rank(self.r, d_model, d_model, "PILL")
        count = max([1, *self.token_types]) + 1
        last = (model.config.num_encoder_layers - 1, model.config.num_decoder_layers - 1)
        last_layers = (f"encoder.layers.{last[0]}", f"decoder.layers.{last[1]}")
        for path, base in base_modules(model):
            parent, _, name = path.rpartition(".")
            if not self.covers(path):
                continue
            if name == "feed_forward":
                experts = nn.ModuleList(GLUAdapter(d_model, self.r) for _ in range(count))
                reads = "source" if path.startswith("encoder") else "target"
                yield path, RoutedFeedForward(base, experts, types, reads, is_last=parent in last_layers)
            elif name == "self_attention":
                yield path, AdaptedSelfAttention(base, GLUAdapter(d_model, self.r))
            elif name == "v_proj" and site_of(path) in ("encoder_self", "cross"):
                yield path, GatedValues(base, ValueGate(d_model, heads), types)


def set_stage(core: Core, stage: int, adapter_name: str = "default") -> None:
    """Goes on with another stage: what is trained, the gates and the last layers' routing follow it."""
    core.require([adapter_name])
    adapter = core.adapters[adapter_name]
    if not isinstance(adapter.config, PillConfig):
        raise ValueError(f"only PILL has stages, and {adapter_name!r} is made by {type(adapter.config).__name__}")
    adapter.config = replace(adapter.config, stage=stage)
    for layer in adapter.layers.values():
        if isinstance(layer, PillLayer):
            layer.enter_stage(stage)
    if adapter_name in core.active:
        core.set_adapter(core.active)
