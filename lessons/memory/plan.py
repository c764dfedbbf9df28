"""A plan: one model, one technique, one batch, and how many bytes of each kind that takes.

Layers are alike, so two small models tell about a large one:  bytes(L) = bytes(1) + (L - 1) · (bytes(2) - bytes(1)).

On several cards everything that lasts is cut into as many shards (torch's `fully_shard`), and each card reads a batch of its
own. A layer that works is gathered whole, the next one meanwhile; the ends (embeddings, last norm, output) stay whole:

    a card = (weights + gradients + optimizer) / cards + gathered + activations + one matrix
    gathered = weights and gradients of the ends + 2 · weights of a layer + gradients of a layer

What is not counted: the CUDA context (about half a GB), what the allocator leaves unused, and the short-lived tensors
of the backward pass. Paged optimizers change none of it: they only let the driver move the optimizer's numbers to the
computer's memory while there is no room for them.
"""

import warnings
from collections import Counter
from dataclasses import dataclass, fields

import torch

from lessons.memory.activations import Kept, kept_by
from lessons.memory.blocks import build
from lessons.memory.shapes import Architecture, architecture
from lessons.memory.tally import OPTIMIZERS, largest_matrix, tally
from peft import PeftModel, get_peft_model, recipe

KINDS = {
    "base": "frozen weights, 16 bits each",
    "codes": "frozen weights, 4 bits each",
    "constants": "scales and levels that the 4 bits are read with",
    "trained": "weights that are trained: adapters in 32 bits, the base's own in 16",
    "frozen parts": "what an adapter needs and does not train",
    "gradients": "one for each trained weight, in its type",
    "optimizer": "the optimizer's numbers, in 32 bits",
    "activations": "what the backward pass needs of the forward pass",
    "one matrix": "a 4-bit matrix, in 16 bits while it is multiplied",
    "gathered": "what lies whole on a card although it is cut into shards",
}
WEIGHTS = ("base", "codes", "constants", "trained", "frozen parts")
SHARDED = (*WEIGHTS, "gradients", "optimizer")


@dataclass(frozen=True)
class Setting:
    """What is asked. `rank` changes the technique's own, where it has one; `batch` is that of each card."""

    model: str
    method: str
    batch: int = 1
    length: int = 512
    checkpointing: bool = False
    optimizer: str = "adamw"
    rank: int | None = None
    cards: int = 1

    def __post_init__(self) -> None:
        shape = architecture(self.model)
        recipe(self.method)
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"unknown optimizer {self.optimizer!r}; there are {', '.join(OPTIMIZERS)}")
        for name in ("batch", "length", "rank", "cards"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        longest = shape.positions or shape.max_length
        if self.length > longest:
            raise ValueError(f"length {self.length} is more than the {longest} positions of {self.model}")


@dataclass(frozen=True)
class Plan:
    """The answer: bytes on a card by kind (KINDS says what each is), and how many numbers are trained of how many."""

    setting: Setting
    bytes: dict[str, int]
    trained: int
    parameters: int

    @property
    def total(self) -> int:
        return sum(self.bytes.values())


def plan(setting: Setting) -> Plan:
    """Raises ValueError for a technique that has no place in the model, with the reason."""
    shape = architecture(setting.model)
    (one, kept_one), (two, kept_two) = (measured(setting, shape, layers) for layers in (1, 2))
    counted = with_layers(one, two, shape.layers)
    if not counted["trained"]:
        raise ValueError(f"{setting.method} trains nothing in {setting.model}: it has no parameter of that kind")
    counted["activations"] = activations(kept_one, kept_two, shape.layers, setting.checkpointing)
    size = {kind: counted[kind] for kind in KINDS}
    if setting.cards > 1:
        size |= {kind: -(-counted[kind] // setting.cards) for kind in SHARDED} | {"gathered": gathered(one, two)}
    return Plan(setting, size, counted["numbers trained"], counted["numbers"])


def with_layers(one: Counter[str], two: Counter[str], layers: int) -> Counter[str]:
    """What is true of one layer and of two, carried on to any number of them."""
    return Counter({kind: one[kind] + (layers - 1) * (two[kind] - one[kind]) for kind in {*one, *two}})


def gathered(one: Counter[str], two: Counter[str]) -> int:
    """From what one layer and two of them take (the formula of this file's head)."""
    layer = {kind: two[kind] - one[kind] for kind in (*WEIGHTS, "gradients")}
    ends = sum(one[kind] - size for kind, size in layer.items())
    return ends + 2 * sum(layer[kind] for kind in WEIGHTS) + layer["gradients"]


def activations(one: Kept, two: Kept, layers: int, checkpointing: bool) -> int:
    """From what is kept with one layer and with two (activations.py)."""
    layer = two.inside - one.inside
    if checkpointing:
        return one.ends + layers * one.inputs + layer
    return one.ends + one.inside + (layers - 1) * layer


def measured(setting: Setting, shape: Architecture, layers: int) -> tuple[Counter[str], Kept]:
    """Bytes by kind, and the activations, of the model with so many layers."""
    model, base = adapted(setting, shape, layers)
    counted = tally(model, base, setting.optimizer)
    counted["one matrix"] = largest_matrix(model)
    counted["numbers trained"], counted["numbers"] = model.get_nb_trainable_parameters()
    return counted, kept_by(model, setting.batch, setting.length)


def adapted(setting: Setting, shape: Architecture, layers: int) -> tuple[PeftModel, set[int]]:
    """The model with its technique on the meta device, and the ids of the base's own tensors."""
    chosen = recipe(setting.method)
    if setting.rank is not None and "r" not in {field.name for field in fields(chosen.config_class)}:
        raise ValueError(f"{setting.method} has no rank")
    with torch.device("meta"), warnings.catch_warnings(action="ignore"):
        model = chosen.prepare(build(shape, layers))
        base = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
        adapter = get_peft_model(model, chosen.config(**({} if setting.rank is None else {"r": setting.rank})))
    return adapter.train(), base
