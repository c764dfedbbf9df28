"""A technique as the page reads it: a list of layers, each with its path, its kind, its numbers and its named tensors."""

from typing import Any

from torch import Tensor

from peft import PeftModel
from peft.bottleneck import HoulsbyAdapter, ParallelAdapter, PfeifferAdapter
from peft.dora import DoraLinear
from peft.frame.layers import AdaptedLayer
from peft.ia3 import IA3Linear
from peft.low_rank import LowRankLayer
from peft.p_tuning import EncodedPromptInput
from peft.pill_layers import AdaptedSelfAttention, GatedValues, RoutedFeedForward
from peft.prefix_tuning import PrefixAttend
from peft.prompt_tuning import PromptInput
from peft.ssf import ScaledShifted
from peft.vera import VeraLinear

Part = tuple[str, dict[str, Any], dict[str, Tensor]]
"""The kind, what is no tensor, and the tensors by name."""


def part_of(layer: AdaptedLayer) -> Part:
    """What transformer.js needs of a layer. Raises ValueError for a technique that it does not know."""
    if isinstance(layer, LowRankLayer):
        tensors = {"up": layer.lora_B.weight, "down": layer.lora_A.weight}
        values = {"scaling": layer.scaling, "rank": len(layer.lora_A.weight)}
        if isinstance(layer, DoraLinear):
            return "dora", values, tensors | {"magnitude": layer.lora_magnitude_vector}
        return "low_rank", values, tensors
    if isinstance(layer, VeraLinear):
        return "vera", {}, {"outer": layer.vera_lambda_b, "inner": layer.vera_lambda_d}
    if isinstance(layer, IA3Linear):
        return "ia3", {"input": layer.feedforward}, {"factors": layer.ia3_l.flatten()}
    if isinstance(layer, ScaledShifted):
        return "ssf", {}, {"scale": layer.ssf_scale, "shift": layer.ssf_shift}
    if isinstance(layer, HoulsbyAdapter | PfeifferAdapter | ParallelAdapter):
        scaling = layer.scaling if isinstance(layer, ParallelAdapter) else 1.0
        kind = type(layer).__name__.removesuffix("Adapter").lower()
        return (
            kind,
            {"activation": layer.adapter.activation, "scaling": scaling},
            dict(layer.adapter.named_parameters()),
        )
    if isinstance(layer, RoutedFeedForward):
        return "experts", {"count": len(layer.experts)}, dict(layer.experts.named_parameters())
    if isinstance(layer, AdaptedSelfAttention):
        return "self_attention_glu", {}, dict(layer.adapter.named_parameters())
    if isinstance(layer, GatedValues):
        return "value_gate", {}, {"gate": layer.value_gate.weight}
    if isinstance(layer, PrefixAttend):
        return "prefix", {}, {"prefix": layer.rows()}
    if isinstance(layer, PromptInput | EncodedPromptInput):
        prompt: Tensor = layer.prompt_embeddings
        return "prompt", {}, {"prompt": prompt}
    raise ValueError(
        f"the page does not know how to apply {type(layer).__name__}: add it to parts.py and transformer.js"
    )


def technique_parts(model: PeftModel) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(what the page's JSON says of the adapter, its tensors by "path.name")"""
    adapter = model.adapters["default"]
    layers: list[dict[str, Any]] = []
    tensors: dict[str, Tensor] = {}
    for path, layer in adapter.layers.items():
        kind, values, own = part_of(layer)
        layers.append({"path": path, "kind": kind, **values})
        tensors |= {f"{path}.{name}": tensor for name, tensor in own.items()}
    if adapter.shared is not None:
        tensors |= {f"shared.{name}": tensor for name, tensor in adapter.shared.named_buffers()}
    tensors |= {f"owned.{name}": tensor for name, tensor in adapter.owned.own_parameters().items()}
    described: dict[str, Any] = {"layers": layers, "owned": list(adapter.owned.names), "tokens": []}
    for rows in adapter.rows:
        described["tokens"] = rows.tokens.tolist()
        tensors["rows"] = rows.rows
    if types := list(getattr(adapter.config, "token_types", ())):
        described["types"] = types
    return described, tensors
