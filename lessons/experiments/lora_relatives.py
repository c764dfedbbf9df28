"""Lesson 14's measurements: the examples by hand, a step's effect over the rank, what moved, turned and stretched."""

from collections.abc import Sequence
from statistics import mean
from typing import Any

import torch
from torch import Tensor, nn

from lessons.experiments.lora_kept import beside
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, pairs, vocabulary
from lessons.task.finetuning import adapted, rate_of
from lessons.task.shipped import shipped
from lessons.teaching import Values, claim, highest, kept_claim, kept_mean, kept_report, kept_rows, lowest
from peft import DoraLinear, IA3Linear, LoraConfig, LoraLinear, PeftModel, VeraLinear, get_peft_model, recipe
from peft.vera import Projections

FAMILY = ("lora", "rslora", "lora_plus", "dora", "pissa", "vera", "ia3")
ROW, UPDATE = torch.tensor([[3.0, 4]]), torch.tensor([[0.0, -4]])
AXES = torch.tensor([[3.0, 0], [0, 1]])


def kept_adapter(method: str) -> PeftModel:
    """The base with the shipped adapter of this technique, which learnt from 1,000 British words."""
    return PeftModel.from_pretrained(load_base(), shipped(method)["british"])


@torch.no_grad()
def turned_row(kind: type[DoraLinear] | type[LoraLinear]) -> Tensor:
    """The example's row (3, 4) with the update (0, -4), merged."""
    linear = nn.Linear(2, 1, bias=False)
    linear.weight.copy_(ROW)
    layer: Any = kind(linear, rank=1, alpha=1)
    layer.lora_A.weight.copy_(UPDATE)
    layer.lora_B.weight.fill_(1.0)
    merged: Tensor = layer.merged().weight.detach()
    return merged


@torch.no_grad()
def vera_by_hand() -> Tensor:
    """A = (1, 1), B = (1, 2), λ_d = 0.5, λ_b = (2, 0) on x = (2, 1)."""
    shared = Projections(1, 2, 2, seed=0)
    shared.vera_A.copy_(torch.ones(1, 2))
    shared.vera_B.copy_(torch.tensor([[1.0], [2.0]]))
    layer = VeraLinear(nn.Linear(2, 2), shared, d_initial=0.5)
    layer.vera_lambda_b.copy_(torch.tensor([2.0, 0.0]))
    return layer.delta(torch.tensor([2.0, 1.0]))


@torch.no_grad()
def ia3_by_hand() -> tuple[Tensor, Tensor]:
    """The linear layer's output, and what the factors (1.5, 0) make of it."""
    linear = nn.Linear(2, 2)
    linear.weight.copy_(torch.eye(2))
    linear.bias.copy_(torch.tensor([2.0, -3.0]))
    layer, x = IA3Linear(linear), torch.tensor([2.0, 1.0])
    layer.ia3_l.copy_(torch.tensor([[1.5], [0.0]]))
    return linear(x), layer(x)


def a_batch(words: int = 64) -> tuple[Tensor, Tensor]:
    """Letters and sounds of some British words, padded."""
    examples, pad = pairs("british", fine_tuning_words("british")[:words]), vocabulary().pad_id
    columns = [[torch.tensor(pair[side]) for pair in examples] for side in (0, 1)]
    source, target = (nn.utils.rnn.pad_sequence(side, batch_first=True, padding_value=pad) for side in columns)
    return source, target


def effect_of_one_step(rank: int, use_rslora: bool, adam: bool) -> float:
    """Root mean square of the logits' change after one optimizer step, from B = 0."""
    torch.manual_seed(0)
    source, target = a_batch()
    config = LoraConfig(r=rank, lora_alpha=16, target_modules="all-linear", use_rslora=use_rslora)
    model = get_peft_model(load_base(), config).eval()
    before = model(source, target[:, :-1])
    wanted = target[:, 1:].flatten()
    nn.functional.cross_entropy(before.flatten(0, 1), wanted, ignore_index=vocabulary().pad_id).backward()
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    (torch.optim.Adam(learnt, lr=1e-5) if adam else torch.optim.SGD(learnt, lr=1e-3)).step()
    with torch.no_grad():
        return float((model(source, target[:, :-1]) - before).square().mean().sqrt())


def effects(ranks: Sequence[int]) -> dict[tuple[bool, bool], list[float]]:
    """(Adam, rsLoRA) → a step's effect for each rank, that of the first as 1."""
    found = {}
    for key in ((False, False), (False, True), (True, False), (True, True)):
        adam, use_rslora = key
        values = [effect_of_one_step(rank, use_rslora, adam) for rank in ranks]
        found[key] = [value / values[0] for value in values]
    return found


def moved(method: str) -> Values:
    """How far A is from its start, in per cent of its length, and how large a number of B is, in the shipped adapter."""
    start, tuned = adapted(method, seed=0), kept_adapter(method)  # the same seed gives the same A
    layers = [[module for module in model.modules() if isinstance(module, LoraLinear)] for model in (start, tuned)]
    ways = [(b.lora_A.weight - a.lora_A.weight, a.lora_A.weight) for a, b in zip(*layers, strict=True)]
    groups = recipe(method).groups(start, rate_of(method), 0.0)
    return {
        "A": 100 * mean(float((way.norm() / old.norm()).detach()) for way, old in ways),
        "B": mean(float(layer.lora_B.weight.detach().square().mean().sqrt()) for layer in layers[1]),
        "rates": sorted({group["lr"] for group in groups}),
    }


@torch.no_grad()
def turned_and_stretched(merged: nn.Module) -> tuple[list[float], list[float]]:
    """For each linear matrix, the mean over its rows of 1 - cos(w', w) and of | ‖w'‖ - ‖w‖ |."""
    turned, stretched = [], []
    for path, module in load_base().named_modules():
        if type(module) is nn.Linear and path != "output":
            old, new = module.weight, merged.get_parameter(f"{path}.weight")
            turned.append(float((1 - nn.functional.cosine_similarity(old, new, dim=1)).mean()))
            stretched.append(float((new.norm(dim=1) - old.norm(dim=1)).abs().mean()))
    return turned, stretched


def correlation(points: tuple[list[float], list[float]]) -> float:
    return float(torch.corrcoef(torch.tensor(points))[0, 1])


def ia3_factors() -> dict[str, Tensor]:
    """Where IA3 multiplies → all factors of the shipped adapter."""
    factors: dict[str, list[Tensor]] = {"k_proj": [], "v_proj": [], "fc2": []}
    adapter: Any = kept_adapter("ia3").adapters["default"]
    for path, layer in adapter.layers.items():
        if isinstance(layer, IA3Linear):
            factors[path.rpartition(".")[2]].append(layer.ia3_l.detach().flatten())
    return {name: torch.cat(parts) for name, parts in factors.items()}


@kept_claim
def the_family() -> Values:
    """Who ends ahead of LoRA, level with it, behind it; what VeRA and IA3 do with their few parameters."""
    errors = {method: 100 * kept_mean(method, "british", "phoneme_error") for method in FAMILY}
    trained = {method: kept_mean(method, "trainable_parameters") for method in FAMILY}
    seconds = {method: kept_mean(method, "seconds") for method in FAMILY}
    ways = {method: beside(method, "lora", "british", "phoneme_error") for method in FAMILY[1:]}
    claim(lowest(trained) == "ia3", "IA3 has the fewest parameters", **trained)
    claim(10 * trained["vera"] < trained["lora"], "VeRA has less than a tenth of LoRA's", **trained)
    named = {word: [method for method, way in ways.items() if way == word] for word in ("below", "level with", "above")}
    return {
        "lora": errors["lora"],
        **{word.partition(" ")[0]: ", ".join(found) or "none" for word, found in named.items()},
        "vera": errors["vera"],
        "part": trained["lora"] / trained["vera"],
        "ia3": errors["ia3"],
        "ia3_trained": trained["ia3"],
        "last": highest(errors),
        "last_error": errors[highest(errors)],
        "slowest": highest(seconds),
        "slowest_seconds": seconds[highest(seconds)],
        "lora_seconds": seconds["lora"],
        "seeds": len(kept_rows("lora")),
        "before": 100 * kept_report()["base"]["british"]["phoneme_error"],
    }


@kept_claim
def the_starts() -> Values:
    """The training loss early and at the end, with seed 0, of LoRA, PiSSA and LoRA+."""
    curves = {method: kept_rows(method)[0]["loss_curve"] for method in ("lora", "pissa", "lora_plus")}
    early = len(curves["lora"]) // 10
    at = {method: curve[early][1] for method, curve in curves.items()}
    end = {method: mean(loss for _, loss in curve[-5:]) for method, curve in curves.items()}
    claim(all(end[method] < at[method] for method in curves), "all go on learning")
    return {
        "step": curves["lora"][early][0],
        **at,
        **{f"{method}_end": loss for method, loss in end.items()},
        "first": lowest(at),
        "lowest_end": lowest(end),
        "pissa_rate": kept_rows("pissa")[0]["learning_rate"],
        "lora_rate": kept_rows("lora")[0]["learning_rate"],
    }
