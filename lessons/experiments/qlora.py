"""Lesson 16's measurements: the row by hand, what bf16 loses, what autograd keeps, three ways to merge, bytes by kind."""

import warnings
from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any

import torch
from torch import Tensor, nn

from lessons.experiments.lora_kept import beside
from lessons.memory.plan import Plan, Setting, plan
from lessons.task.base import load_base
from lessons.task.finetuning import prepared_base
from lessons.task.shipped import shipped
from lessons.teaching import Values, claim, kept_claim, kept_mean, kept_rows
from peft import LoraLinear, PeftModel
from peft.frame.weights import weight_of
from peft.low_rank import product
from peft.qlora import lost_share, merged_in_4bit
from quant import Linear4bit, dequantize_4bit, quantize_4bit

ROW = torch.tensor([[0.5, -0.2, 0.1] + [0.0] * 13])
X = torch.tensor([1.0, 1.0, 1.0] + [0.0] * 13)
UPDATE, CARD = 0.1, 24
FACTORS = (0.03, 0.1, 0.3, 1.0, 2.0)


def layer_by_hand() -> LoraLinear:
    """The example's row in NF4, with LoRA of rank 1 beside it that is still zero."""
    row = nn.Linear(16, 1, bias=False)
    row.weight.data.copy_(ROW)
    packed = Linear4bit.from_linear(row, block_size=16, double_quant=False, compute_dtype=torch.float32)
    return LoraLinear(packed, rank=1, alpha=1)


@torch.no_grad()
def learn_by_hand(layer: LoraLinear) -> None:
    """ΔW = (0.1, 0, 0, ...)"""
    layer.lora_A.weight.zero_()[0, 0] = 1.0
    layer.lora_B.weight.fill_(UPDATE)


def merged_by_hand(layer: LoraLinear) -> tuple[Tensor, str]:
    """Back into four bits: the weights, and what the warning says."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        again = merged_in_4bit(layer)
    return again.dequantized()[0], str(said[-1].message)


def bytes_of(model: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))


def codes_of(model: nn.Module) -> dict[str, Tensor]:
    return {path: each.codes.clone() for path, each in model.named_modules() if isinstance(each, Linear4bit)}


@torch.no_grad()
def errors_of_a_product() -> dict[str, float]:
    """How far a product is from x Wᵀ in 32 bits, in per cent of its size: in bf16, in NF4, and in NF4 computed in bf16."""
    linear: Any = load_base().get_submodule("encoder.layers.0.feed_forward.fc1")
    x, weight = torch.randn(256, linear.in_features), linear.weight
    right = x @ weight.T
    rounded = dequantize_4bit(quantize_4bit(weight, double_quant=True))
    results = {
        "bf16": (x.bfloat16() @ weight.bfloat16().T).float(),
        "nf4": x @ rounded.T,
        "both": (x.bfloat16() @ rounded.bfloat16().T).float(),
    }
    return {name: float(100 * (result - right).norm() / right.norm()) for name, result in results.items()}


def bytes_saved(run: Callable[[], Any]) -> int:
    """What autograd keeps for the backward pass. torch calls the first hook with every tensor that it saves."""
    counted: list[int] = []

    def count(tensor: Tensor) -> Tensor:
        counted.append(tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        run()
    return sum(counted)


class Merging:
    """The shipped QLoRA adapter on its rounded base, and how its merges lose."""

    def __init__(self) -> None:
        self.model = PeftModel.from_pretrained(prepared_base("qlora", load_base()), folder())
        self.updates = [
            (weight_of(layer.base), product(layer.lora_B, layer.lora_A, layer.scaling).detach())
            for layer in self.model.modules()
            if isinstance(layer, LoraLinear)
        ]

    @property
    def length(self) -> float:
        """‖ΔW‖ / ‖Ŵ‖ in per cent, the mean over the matrices."""
        return 100 * mean(float(wanted.norm() / weight.norm()) for weight, wanted in self.updates)

    def lost_at(self, factor: float) -> float:
        """The share of the update that is rounding error, in per cent, if it were `factor` times as long."""
        return 100 * mean(
            lost_share(
                factor * wanted, dequantize_4bit(quantize_4bit(weight + factor * wanted, double_quant=True)) - weight
            )
            for weight, wanted in self.updates
        )

    def errors(self, error_of: Callable[[nn.Module], float]) -> dict[str, float]:
        """Way to merge → error."""
        found = {"not merged": error_of(self.model)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            merged = self.model.merge_and_unload()
        found["into Ŵ, kept\nin 32 bits"] = error_of(merged)
        found["into Ŵ, then\n4 bits again"] = error_of(prepared_base("qlora", merged))
        original = PeftModel.from_pretrained(load_base(), folder(), check_base=False)
        found["into the\noriginal W"] = error_of(original.merge_and_unload())
        return found


def folder() -> Any:
    return shipped("qlora")["british"]


def plans(model: str, methods: Sequence[str]) -> dict[str, Plan]:
    """Bytes by kind for one sequence of 512 tokens, activations recomputed."""
    return {method: plan(Setting(model, method, checkpointing=True)) for method in methods}


@kept_claim
def lora_on_four_bits() -> Values:
    """LoRA on a base in 32 bits and in each 4-bit format: errors, seconds, memory, and which way each went."""
    values = {
        f"{method}_{name}": scale * kept_mean(method, *keys)
        for method in ("lora", "qlora", "lora_int4", "lora_fp4")
        for name, scale, keys in (
            ("error", 100, ("british", "phoneme_error")),
            ("seconds", 1, ("seconds",)),
            ("peak", 1e-6, ("peak_memory_bytes",)),
        )
    }
    claim(values["qlora_seconds"] > values["lora_seconds"], "QLoRA's steps take longer", **values)
    claim(values["qlora_peak"] > 0.95 * values["lora_peak"], "here four bits save no memory", **values)
    claim(abs(values["qlora_error"] - values["lora_error"]) < 1, "four bits cost less than a point", **values)
    ways = {
        f"{method}_way": beside(method, "lora", "british", "phoneme_error")
        for method in ("qlora", "lora_int4", "lora_fp4")
    }
    return {**values, **ways, "seeds": len(kept_rows("qlora"))}
