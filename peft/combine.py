"""Combining: several LoRA adapters, weighted, become one.

    ΔW = Σ_i w_i s_i B_i A_i        what is wanted; a weight may be negative, to take an adapter's effect away

    cat      B = [B_1, B_2, ...], A = [w_1 s_1 A_1; w_2 s_2 A_2; ...]        exact; the ranks add up
    svd      B A = the best approximation of ΔW that has the rank asked for
    linear   B = Σ √|w_i s_i| B_i, A = Σ ±√|w_i s_i| A_i                     rough: it also multiplies B_i with A_j

The new adapter's scaling is 1. Trained rows of tokens are combined exactly: E + Σ_i w_i (rows_i - E).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from peft.frame.adapter import Adapter
from peft.frame.config import PeftConfig
from peft.frame.core import Core
from peft.lora import LoraConfig, LoraLinear
from peft.low_rank import at_most_full_rank, product

Factors = tuple[Float[Tensor, "d_out rank"], Float[Tensor, "rank d_in"]]
Weighted = list[tuple[float, LoraLinear]]


def add_weighted_adapter(
    core: Core,
    adapters: Sequence[str],
    weights: Sequence[float],
    adapter_name: str,
    combination_type: str = "svd",
    svd_rank: int | None = None,
) -> None:
    """Adds the combination as a new adapter; it is not active until `set_adapter`.

    Raises ValueError for an unknown kind, for adapters that are not plain LoRA, and for unequal ranks with "linear".
    """
    check_request(core, adapters, weights, combination_type, svd_rank)
    chosen = [core.adapters[name] for name in adapters]
    layers = [lora_layers(adapter) for adapter in chosen]
    factors = {}
    for path in {path: None for found in layers for path in found}:
        parts = [(weight, found[path]) for weight, found in zip(weights, layers, strict=True) if path in found]
        factors[path] = at_most_full_rank(*COMBINATIONS[combination_type](parts, svd_rank))
    core.add_adapter(adapter_name, combined_config(chosen, factors))
    combined = core.adapters[adapter_name]
    with torch.no_grad():
        for path, layer in lora_layers(combined).items():
            layer.lora_B.weight.copy_(factors[path][0])
            layer.lora_A.weight.copy_(factors[path][1])
        combine_rows(combined, chosen, weights)


def combined_config(chosen: Sequence[Adapter], factors: Mapping[str, Factors]) -> PeftConfig:
    """Plain LoRA with a scaling of 1 on each path's own rank, and all trained tokens of those that are combined."""
    ranks = {path: down.shape[0] for path, (_, down) in factors.items()}
    rank = max(ranks.values())
    own_rank = {path: own for path, own in ranks.items() if own != rank}
    first: Any = chosen[0].config
    return replace(
        first,
        r=rank,
        lora_alpha=rank,
        use_rslora=False,
        target_modules=tuple(factors),
        exclude_modules=(),
        sites=LoraConfig.sites,
        rank_pattern=own_rank,
        alpha_pattern=own_rank,
        trainable_token_indices=tuple(sorted({t for a in chosen for t in a.config.trainable_token_indices})),
    )


@torch.no_grad()
def linear(parts: Weighted, svd_rank: int | None) -> Factors:
    """B = Σ √|w s| B_i, A = Σ ±√|w s| A_i. Raises ValueError for ranks that differ; `svd_rank` is for svd alone."""
    ranks = [len(layer.lora_A.weight) for _, layer in parts]
    if len(set(ranks)) > 1:
        raise ValueError(f"linear adds matrices of equal rank, not of ranks {ranks}: use cat or svd")
    roots = [math.sqrt(abs(weight) * layer.scaling) for weight, layer in parts]
    up = [root * layer.lora_B.weight for root, (_, layer) in zip(roots, parts, strict=True)]
    down = [
        math.copysign(root, weight) * layer.lora_A.weight for root, (weight, layer) in zip(roots, parts, strict=True)
    ]
    return torch.stack(up).sum(dim=0), torch.stack(down).sum(dim=0)


@torch.no_grad()
def cat(parts: Weighted, svd_rank: int | None) -> Factors:
    """B = [B_1, B_2, ...], A = [w_1 s_1 A_1; w_2 s_2 A_2; ...]"""
    up = torch.cat([layer.lora_B.weight for _, layer in parts], dim=1)
    return up, torch.cat([weight * layer.scaling * layer.lora_A.weight for weight, layer in parts])


@torch.no_grad()
def svd(parts: Weighted, svd_rank: int | None) -> Factors:
    """The nearest factors of `svd_rank`, or of the largest rank of the parts."""
    rank = svd_rank or max(len(layer.lora_A.weight) for _, layer in parts)
    deltas = [weight * product(layer.lora_B, layer.lora_A, layer.scaling) for weight, layer in parts]
    left, values, right = torch.linalg.svd(torch.stack(deltas).sum(dim=0), full_matrices=False)
    return left[:, :rank] * values[:rank], right[:rank]


COMBINATIONS = {"linear": linear, "cat": cat, "svd": svd}


def lora_layers(adapter: Adapter) -> dict[str, LoraLinear]:
    """The LoRA layers of an adapter, by path."""
    return {path: layer for path, layer in adapter.layers.items() if isinstance(layer, LoraLinear)}


def combine_rows(combined: Adapter, chosen: Sequence[Adapter], weights: Sequence[float]) -> None:
    """The rows of the new adapter are still the base's: each adapter adds its weighted difference from them."""
    tokens = list(combined.config.trainable_token_indices)
    start = {name: rows.clone() for name, rows in combined.token_rows().items()}
    for weight, adapter in zip(weights, chosen, strict=True):
        here = [tokens.index(token) for token in adapter.config.trainable_token_indices]
        for name, rows in adapter.token_rows().items():
            combined.token_rows()[name][here] += weight * (rows - start[name][here])


def check_request(
    core: Core,
    adapters: Sequence[str],
    weights: Sequence[float],
    combination_type: str,
    svd_rank: int | None,
) -> None:
    """Raises ValueError for what add_weighted_adapter refuses."""
    core.require(adapters)
    if not adapters or len(adapters) != len(weights):
        raise ValueError(f"{len(adapters)} adapters came with {len(weights)} weights: one for each is needed")
    if combination_type not in COMBINATIONS:
        raise ValueError(f"combination_type is one of {', '.join(COMBINATIONS)}, not {combination_type!r}")
    if svd_rank is not None and (combination_type != "svd" or svd_rank < 1):
        raise ValueError(f"svd_rank {svd_rank} must be at least 1, and belongs to svd, not to {combination_type}")
    for name in adapters:
        adapter = core.adapters[name]
        plain = isinstance(adapter.config, LoraConfig) and adapter.config.variant not in LoraConfig.variants
        if not plain or adapter.owned.names:
            raise ValueError(f"{name!r} is not plain LoRA, so it cannot be combined; a saved and loaded PiSSA is")
