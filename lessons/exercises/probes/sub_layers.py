"""Probes of lessons 17, 22 and 23."""

import torch
from torch import Tensor, nn

from lessons.exercises.probes.draw import Draw, Marker, gradients
from lessons.exercises.probes.low_rank import linear, output_gradients_and_merge, scattered
from peft import ssf as scaled
from peft.bottleneck import Bottleneck, HoulsbyAdapter, ParallelAdapter, PfeifferAdapter
from peft.pill_layers import GatedValues, GLUAdapter, RoutedFeedForward, TokenTypes, ValueGate
from transformer.add_norm import AddNorm, LayerNorm
from transformer.feed_forward import FeedForward


def bottleneck(draw: Draw, d_model: int, style: str) -> Bottleneck:
    module = Bottleneck(d_model, draw.size(4, 6), style)  # of a few, all may say nothing by their ReLU
    draw.fill(module)
    return module.eval()


def adapter_bottleneck(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    for style in ("houlsby", "pfeiffer", "parallel"):
        d_model = draw.size(2, 7)
        x = draw.normal(2, 3, d_model, grad=True)
        output = bottleneck(draw, d_model, style)(x)
        found |= {style: output} | {f"{name} ({style})": g for name, g in gradients(output, x=x).items()}
    return found


def adapter_houlsby(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    d_model = draw.size(2, 7)
    base = draw.fill(nn.Linear(d_model, d_model))  # what comes before the adapter must pass through it
    x = draw.normal(2, 3, d_model, grad=True)
    output = HoulsbyAdapter(base, bottleneck(draw, d_model, "houlsby"))(x)
    return {"the output": output} | gradients(output, x=x)


def adapter_pfeiffer(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    d_model = draw.size(4, 9)  # two features have only two norms
    sublayer, x = draw.fill(nn.Linear(d_model, d_model)), draw.normal(3, 5, d_model)
    for order in ("post", "pre"):
        base = draw.fill(AddNorm(d_model, 0.0, order))
        base.dropout = Marker()
        found[f"{order}-norm"] = PfeifferAdapter(base, bottleneck(draw, d_model, "pfeiffer")).eval()(x, sublayer)
    return found


def adapter_parallel(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    d_model = draw.size(2, 7)
    base = draw.fill(FeedForward(d_model, draw.size(3, 8)))
    layer = ParallelAdapter(base, bottleneck(draw, d_model, "parallel"), draw.uniform(0.5, 5.0))
    x = draw.normal(2, 3, d_model)
    return {"delta": layer.delta(x), "the output": layer(x)}


def ssf(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    y, scale, shift = draw.normal(2, 3, 4), draw.normal(4), draw.normal(4)
    found = {"γ ⊙ y + β": scaled.scale_and_shift(y, scale, shift)}
    for bias in (True, False):
        layer = scattered(draw, scaled.ScaledShifted(linear(draw, bias)))
        found |= {f"{name} (bias: {bias})": t for name, t in output_gradients_and_merge(draw, layer).items()}
    norm = scattered(draw, scaled.ScaledShifted(draw.fill(LayerNorm(5)).requires_grad_(False)))
    x = draw.normal(2, 5)
    return found | {"a norm": norm(x), "a merged norm": norm.merged()(x)}


def pill_adapter(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    d_model = draw.size(3, 8)
    adapter, x = draw.fill(GLUAdapter(d_model, draw.size(1, 4))), draw.normal(2, 3, d_model, grad=True)
    output = adapter(x)
    return {"the output": output} | gradients(output, x=x)


def typed(draw: Draw, count: int) -> tuple[TokenTypes, Tensor]:
    return TokenTypes([int(draw.ids(0, count, 1)) for _ in range(12)]), draw.ids(0, 12, 2, 5)


def pill_routing(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    d_model, count = draw.size(3, 8), draw.size(2, 4)
    x = draw.normal(2, 5, d_model)
    for reads, is_last, stage in (("source", False, 2), ("target", True, 2), ("target", True, 1), ("source", False, 1)):
        experts = nn.ModuleList(draw.fill(GLUAdapter(d_model, 2)) for _ in range(count))
        types, ids = typed(draw, count)
        types.table[:2], ids[0, :2] = torch.arange(2), torch.arange(2)
        layer = RoutedFeedForward(draw.fill(FeedForward(d_model, 7)), experts, types, reads, is_last).eval()
        setattr(layer.context, reads, ids)
        layer.stage = stage
        found[f"{reads}, last {is_last}, stage {stage}"] = layer(x)
    return found


def pill_gate(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    heads = draw.size(2, 3)
    d_model = heads * draw.size(2, 3)
    types, ids = typed(draw, 3)
    types.table[:3], ids[0, :3] = torch.arange(3), torch.arange(3)  # a token of each type
    layer = GatedValues(draw.fill(nn.Linear(d_model, d_model)), ValueGate(d_model, heads), types)
    draw.fill(layer)
    layer.context.source = ids
    x = draw.normal(2, 5, d_model, grad=True)
    output = layer(x)
    layer.stage = 1
    return {"stage 1": layer(x), "stage 2": output} | gradients(output, x=x, gate=layer.value_gate.weight)
