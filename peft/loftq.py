"""LoftQ: LoRA on four bits that starts at what the rounding took away.

    Q_t = quantize(W - s B_{t-1} A_{t-1})        s B_t A_t = SVD_r(W - Q_t)        t = 1..T, from B₀ A₀ = 0

    y = x Qᵀ + b + s · dropout(x) Aᵀ Bᵀ        Q = Q_T, s = α/r; at the start Q + s B A is nearer to W than Q alone

SVD_r is the best approximation of rank r, so the first turn can only come nearer to W. Later turns mostly do; on some
matrices they go away again, since a large s B A widens the blocks that are rounded next.

Changes   a weight matrix (place 1)        Identity at start   no: nearer to the base before the rounding
Trains    r (d_in + d_out) per layer       Merges              as QLoRA (qlora.py)
Saved     as the LoRA that it is; it belongs on Q: with T = 1 that is the plain quantized base
Paper     "LoftQ" (arXiv 2310.08659), algorithm 1
Note      Hugging Face PEFT leaves s out: there Q + B A is near to W, and with s ≠ 1 the start is another one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.targets import pattern_value, target_linears
from peft.frame.weights import linear_like, own_copy, weight_of
from peft.lora import LoraConfig, LoraLinear
from peft.pissa import principal_factors
from quant import Linear4bit, linear_layers


@dataclass(frozen=True)
class LoftQConfig:
    """HF's names. `loftq_bits`: how many bits (four, here); `loftq_iter`: how often quantization and SVD take turns, T."""

    loftq_bits: int = 4
    loftq_iter: int = 1

    def __post_init__(self) -> None:
        if self.loftq_bits != 4:
            raise ValueError(f"loftq_bits is 4, the only format of quant/, not {self.loftq_bits}")
        if self.loftq_iter < 1:
            raise ValueError(f"loftq_iter {self.loftq_iter} must be at least 1")


class LoftqBase(Linear4bit):
    """A layer in four bits that remembers, in two thin matrices, what its rounding took: W - Q ≈ up · down."""

    lost_down: Tensor
    lost_up: Tensor

    def remember(self, lost_up: Float[Tensor, "d_out rank"], lost_down: Float[Tensor, "rank d_in"]) -> None:
        """Keeps B_T and A_T (for s = 1) with the layer; they are not saved."""
        self.register_buffer("lost_up", lost_up, persistent=False)
        self.register_buffer("lost_down", lost_down, persistent=False)


def alternate(linear: nn.Linear, rank: int, iterations: int, **quantization: Any) -> LoftqBase:
    """Q_T, with B_T and A_T beside it (for s = 1). `quantization` goes to `Linear4bit.from_linear`."""
    weight = rest = weight_of(linear).detach()
    for _ in range(iterations):
        layer = LoftqBase.from_linear(linear_like(linear, rest, linear.bias), **quantization)
        lost_up, lost_down = principal_factors(weight - weight_of(layer), rank, scaling=1.0)
        rest = weight - lost_up @ lost_down
    layer.remember(lost_up, lost_down)
    return layer


def quantize_with_loftq(model: nn.Module, config: LoraConfig, **quantization: Any) -> nn.Module:
    """Puts the config's target layers into four bits, in place; `get_peft_model(model, config)` comes next.

    `quantization` goes to `Linear4bit.from_linear`: codebook, block_size, compute_dtype, double_quant.

    Raises ValueError for a config of another start, a target that is in four bits already or shares its matrix.
    """
    if config.init_lora_weights != "loftq":
        raise ValueError(f'this config has init_lora_weights {config.init_lora_weights!r}; LoftQ needs "loftq"')
    targets = target_linears(config, model, config.target_modules, config.exclude_modules)
    kinds = {row.path: row.kind for row in linear_layers(model)}
    if wrong := [path for path in targets if kinds.get(path) != "linear"]:
        raise ValueError(
            f"LoftQ needs full-precision matrices of their own; {', '.join(wrong)}: "
            "quantized already (load the model anew) or tied (leave it out with exclude_modules)"
        )
    settings = LoftQConfig(**config.loftq_config) if isinstance(config.loftq_config, Mapping) else config.loftq_config
    for path, linear in targets.items():
        rank = pattern_value(config.rank_pattern, path, config.r)
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, alternate(linear, rank, settings.loftq_iter, **quantization))
    return model


class LoftqLinear(LoraLinear, variant="loftq"):
    """LoRA whose A and B start at what the base below it has lost."""

    def start(self) -> None:
        """B₀ and A₀ with s B₀ A₀ = what the rounding took. Raises ValueError where the base does not know that."""
        if not isinstance(self.base, LoftqBase):
            raise ValueError(
                f"LoftQ starts at what the rounding took, and this {type(self.base).__name__} does not know it: call "
                "quantize_with_loftq(model, config) on the full-precision model first. Where that is gone, "
                "init_lora_weights=True starts at the quantized base"
            )
        rank, known = self.lora_A.out_features, len(self.base.lost_down)
        if known != rank:
            raise ValueError(f"this base was quantized with LoftQ for rank {known}, not {rank}")
        root = self.scaling**0.5
        self.lora_A.weight = own_copy(self.base.lost_down / root)
        self.lora_B.weight = own_copy(self.base.lost_up / root)
