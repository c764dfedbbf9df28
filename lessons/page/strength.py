"""What half a technique is: one number a, 0 for the base, 1 for the fine-tuned model, and beyond.

    a change of parameters    P + a (P' - P)                  LoRA and its relatives, IA3, SSF, BitFit, norms, own rows
    a network beside          h + a · bottleneck(h)           adapters; PILL: x + a · GLU(x), values 1 + a (gate - 1)
    keys in front             every one counts a times:       prefixes; prompts, in the encoder and the cross-attention
                              softmax over a · e^score

P' are the merged parameters, so at a = 1 each of them is the technique itself, and at a = 0 nothing is left of it. (A
prompt moves the letters to later positions however little it counts; at exactly 0 it is taken away.) On a base in 4
bits a = 0 is the base in 4 bits.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from peft import PeftModel
from peft.bottleneck import Bottleneck
from peft.frame.layers import AdaptedLayer, Slot
from peft.frame.paths import base_modules
from peft.frame.weights import linear_like, norm_like, weight_of
from peft.p_tuning import EncodedPromptInput
from peft.pill_layers import GLUAdapter, ValueGate
from peft.prefix_tuning import PrefixAttend
from peft.prompt_tuning import PromptInput
from transformer.add_norm import LayerNorm
from transformer.attention import Attend


@contextmanager
def at_strength(model: PeftModel, strength: float) -> Iterator[PeftModel]:
    """Inside, the active adapter has this strength; afterwards it is whole again. Raises ValueError below 0."""
    if not strength >= 0.0:
        raise ValueError(f"a strength is at least 0, not {strength}")
    adapter = model.adapters[model.active[0]]
    prompted = [layer for layer in adapter.layers.values() if isinstance(layer, PromptInput | EncodedPromptInput)]
    with torch.no_grad(), ExitStack() as stack:
        stack.enter_context(model.disable_adapter() if prompted and strength == 0.0 else nullcontext())
        for slot in model.slots:
            stack.enter_context(weakened(slot, model.active[0] if model.active else "", strength))
        if model.active:
            own = [copy.data for copy in adapter.owned.copies]
            base = [original.data for original in adapter.owned.originals]
            for copy, before, after in zip(adapter.owned.copies, base, own, strict=True):
                stack.enter_context(replaced(copy, "data", before + strength * (after - before)))
            for paths, rows in zip(adapter.row_paths, adapter.rows, strict=True):
                before = dict(base_modules(model.base_model))[paths[0]].weight[rows.tokens]
                after = rows.rows.data
                stack.enter_context(replaced(rows.rows, "data", before + strength * (after - before)))
            for layer in prompted:
                first = len(layer.prompt_embeddings)
                for path, core in base_modules(model.base_model):
                    if isinstance(core, Attend) and ("encoder.layers" in path or "cross_attention" in path):
                        stack.enter_context(replaced(core, "forward", counting(first, strength)))
        yield model


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Inside, the attribute has another value; an attribute that was the class's is the class's again."""
    own = name in getattr(owner, "__dict__", {}) or isinstance(owner, nn.Parameter)
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before) if own else delattr(owner, name)


@contextmanager
def weakened(slot: Slot, name: str, strength: float) -> Iterator[None]:
    """A slot's active layer at a strength."""
    if name not in slot.layers:
        yield
        return
    layer = slot.layers[name]
    if layer.merges:
        slot.layers[name] = between(layer, strength)
        try:
            yield
        finally:
            slot.layers[name] = layer
        return
    with ExitStack() as stack:
        for name, part in layer.named_modules():
            if not name.startswith("base") and (change := scaled_output(part, strength)):
                handle = part.register_forward_hook(change)
                stack.callback(handle.remove)
        if isinstance(layer, PrefixAttend):
            core = layer.base.base if isinstance(layer.base, Slot) else layer.base
            stack.enter_context(replaced(core, "forward", counting(len(layer.rows()), strength)))
        yield


def between(layer: AdaptedLayer, strength: float) -> nn.Module:
    """A plain module whose parameters are P + a (P' - P)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the 4-bit base's, which says what the page says
        merged = layer.merged()
    is_norm = isinstance(layer.base, LayerNorm)
    before = layer.base.weight if is_norm else weight_of(layer.base)
    weight = before + strength * (merged.weight - before)
    old = torch.zeros_like(merged.bias) if layer.base.bias is None else layer.base.bias
    bias = old + strength * (merged.bias - old)
    return (norm_like if is_norm else linear_like)(merged, weight, bias)


def scaled_output(part: nn.Module, strength: float) -> Callable[[Any, Any, Tensor], Tensor] | None:
    """What becomes of the output of a network beside: a times it, and for a gate 1 + a (gate - 1)."""
    if isinstance(part, Bottleneck | GLUAdapter):
        return lambda module, inputs, output: strength * output
    if isinstance(part, ValueGate):
        return lambda module, inputs, output: 1 + strength * (output - 1)
    return None


def counting(first: int, strength: float) -> Callable[..., Tensor]:
    """An attention in which each of the first keys counts `strength` times: softmax over a · e^score."""

    def forward(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        bias = query.new_zeros(key.shape[2])
        bias[:first] = math.log(strength) if strength > 0.0 else -math.inf
        if mask is not None:
            bias = torch.where(mask, bias, -math.inf)
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias.expand(*query.shape[:3], -1))

    return forward
