"""Probes of lessons 13 and 14: LoRA, how it starts and how fast it learns."""

from typing import Any

import torch
from torch import Tensor, nn

from lessons.exercises.probes.draw import Draw, Marker, gradients, refusal
from peft import lora_plus as plus
from peft import low_rank
from peft.lora import LoraConfig, LoraLinear
from peft.model import get_peft_model


def linear(draw: Draw, bias: bool = True) -> nn.Linear:
    d_in, d_out = draw.size(4, 9), draw.size(4, 9)
    layer = draw.fill(nn.Linear(d_in, d_out, bias=bias))
    return layer.requires_grad_(False)


def scattered(draw: Draw, layer: nn.Module) -> nn.Module:
    """Every number of the technique at random, the base's left alone."""
    layer.double().eval()
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if not name.startswith("base."):
                parameter.copy_(draw.normal(*parameter.shape))
    return layer


def output_gradients_and_merge(draw: Draw, layer: Any) -> dict[str, Tensor]:
    x = draw.normal(2, 3, layer.base.in_features, grad=True)
    own = {name: p for name, p in layer.named_parameters() if not name.startswith("base.")}
    output = layer(x)
    merged = layer.merged()
    found = {"the output": output, "the merged weight": merged.weight, "what the merged layer computes": merged(x)}
    found |= {} if merged.bias is None else {"the merged bias": merged.bias}
    found |= {"the base's weight afterwards": layer.base.weight.detach().clone()}
    found |= where_dropout_falls(layer, x) if hasattr(layer, "dropout") else {}
    return found | gradients(output, x=x, **own)


def where_dropout_falls(layer: Any, x: Tensor) -> dict[str, Tensor]:
    """With a factor for each feature in dropout's place."""
    dropout, layer.dropout = layer.dropout, Marker()
    found = {"in training with dropout": layer.train()(x)}
    layer.dropout = dropout
    layer.eval()
    return found


def lora(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    rank = draw.size(1, 4)
    layer = scattered(draw, LoraLinear(linear(draw), rank, draw.uniform(1.0, 20.0)))
    x = draw.normal(2, 3, layer.base.in_features)
    return {"delta": layer.delta(x)} | output_gradients_and_merge(draw, layer)


def lora_start(seed: int) -> dict[str, Tensor]:
    """Shapes, spread and chance; the numbers themselves may be drawn in more than one way."""
    draw = Draw(seed)
    d_in, d_out, rank = draw.size(400, 600), draw.size(20, 40), draw.size(10, 20)
    found = {}
    for kind in (True, "gaussian", False):
        down, up = low_rank.new_factors(d_in, d_out, rank, kind)
        shapes = [*down.weight.shape, *up.weight.shape, down.bias is None, up.bias is None]
        found |= {f"shapes and biases, {kind}": torch.tensor([int(n) for n in shapes])}
        found |= {f"is B zero, {kind}": up.weight == 0}
        wanted = {True: (1 / (3 * d_in)) ** 0.5, "gaussian": 1 / rank, False: (1 / (3 * d_in)) ** 0.5}[kind]
        times = down.weight.detach().std().clamp(min=1e-12) / wanted
        found |= {f"how many tenths A's spread is too large (its logarithm), {kind}": (times.log() / 0.1).round()}
        found |= {f"{what}, {kind}": t for what, t in chance(kind, down.weight.detach(), d_out).items()}
    draw.fill(down), draw.fill(up)
    return found | {"the product": low_rank.product(up, down, draw.uniform(0.5, 3.0))}


def chance(kind: Any, numbers: Tensor, d_out: int) -> dict[str, Tensor]:
    """A was drawn: its numbers differ, have no sign in common, fill the curve that was asked for, and differ from call to call."""
    rank, d_in = numbers.shape
    again = low_rank.new_factors(d_in, d_out, rank, kind)[0].weight.detach()
    flatness = {True: 0.866, "gaussian": 0.798, False: 0.866}[kind]  # E|x| / sd of the uniform and of the normal
    away = (numbers.abs().mean() / numbers.std() / flatness - 1).abs()
    return {
        "is nearly every number of A another one": torch.tensor(len(numbers.unique()) > 0.9 * numbers.numel()),
        "the distance of A's curve, in twentieths": away // 0.05,
        "the distance of A's mean from 0, in tenths of its spread": numbers.mean().abs() / numbers.std() // 0.1,
        "A's rank": torch.linalg.matrix_rank(numbers),
        "does the next call draw another A": torch.tensor(not torch.equal(numbers, again)),
    }


def rslora(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    rows = [(draw.size(1, 64), draw.uniform(1.0, 64.0)) for _ in range(4)]
    values = [low_rank.scaling_of(rank, alpha, kind) for rank, alpha in rows for kind in (True, False)]
    return {"the scalings": torch.tensor(values, dtype=torch.float64)}


def lora_plus(seed: int) -> dict[str, Tensor]:
    from lessons.exercises.probes.models import random_model

    draw = Draw(seed)
    model = get_peft_model(random_model(draw), LoraConfig(r=2, trainable_token_indices=(3,)))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rate, decay = draw.uniform(0.001, 0.1), draw.uniform(0.0, 0.2)
    groups = plus.lora_plus_groups(model, rate, decay, draw.uniform(2.0, 20.0))
    settings = {names[id(p)]: (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    table = torch.tensor([settings[name] for name in sorted(settings)], dtype=torch.float64)
    found = {"rate and decay of every parameter, by name": table, "how many groups": torch.tensor(len(groups))}
    for ratio in (0.0, -1.0, float("nan")):
        found[f"the kind of error for the ratio {ratio}"] = refusal(plus.lora_plus_groups, model, rate, decay, ratio)
    without = refusal(plus.lora_plus_groups, random_model(draw), rate, decay)
    return found | {"the kind of error for a model without LoRA": without}
