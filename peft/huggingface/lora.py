"""LoRA's relatives in Hugging Face PEFT's folders: what starts in its own way is kept as the LoRA that it has become.

PiSSA   s (B A - B₀ A₀) = s [B, -B₀] [A; A₀]        rank 2 r, with 2 α (√2 α for rsLoRA), so that s is the same
LoftQ   s B A on the base that was quantized with it
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from peft.frame.config import PeftConfig
from peft.frame.targets import pattern_value
from peft.low_rank import at_most_full_rank

Kept = tuple[dict[str, Tensor], Any]
STARTS = (".start_A", ".start_B")


class LoraFiles(PeftConfig):
    """A LoraConfig's way into a folder and back."""

    def to_hf(self, tensors: dict[str, Tensor]) -> Kept:
        """Plain LoRA for PiSSA and LoftQ; LoRA and DoRA stand there as they are."""
        config: Any = self
        if config.variant == "pissa":
            return pissa_to_lora(config, tensors)
        if config.variant == "loftq":
            config = replace(config, init_lora_weights=True, loftq_config={})
        return tensors, config

    def from_hf(self, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """A PiSSA that was not converted holds A and B only: its start is that of the base."""
        return {name: tensor for name, tensor in wanted.items() if name.endswith(STARTS)} | dict(tensors)


def pissa_to_lora(config: Any, tensors: Mapping[str, Tensor]) -> Kept:
    """The tensors with [B, -B₀] and [A; A₀], and a config of twice the rank with the same scaling."""
    grown = dict(tensors)
    power = 0.5 if config.use_rslora else 1.0
    rank, alpha = 2 * config.r, 2**power * config.lora_alpha
    ranks: dict[str, int] = {}
    alphas: dict[str, float] = {}
    for layer in [name.removesuffix(".start_A") for name in tensors if name.endswith(".start_A")]:
        up = torch.cat([grown[f"{layer}.lora_B.weight"], -grown.pop(f"{layer}.start_B")], dim=1)
        down = torch.cat([grown[f"{layer}.lora_A.weight"], grown.pop(f"{layer}.start_A")])
        up, down = at_most_full_rank(up, down)
        grown |= {f"{layer}.lora_B.weight": up, f"{layer}.lora_A.weight": down}
        path = layer.removeprefix("base_model.model.")
        ranks[path] = down.shape[0]
        growth = down.shape[0] / pattern_value(config.rank_pattern, path, config.r)
        alphas[path] = pattern_value(config.alpha_pattern, path, config.lora_alpha) * growth**power
    return grown, replace(
        config,
        r=rank,
        lora_alpha=alpha,
        init_lora_weights=True,
        rank_pattern={path: own for path, own in ranks.items() if own != rank},
        alpha_pattern={path: own for path, own in alphas.items() if not math.isclose(own, alpha)},
    )
