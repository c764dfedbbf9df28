"""Probes of lessons 11 and 12. Names are compared as sorted text, the order in which they come is free."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw
from lessons.exercises.probes.models import random_model
from peft import BitFitConfig, FullConfig, PeftConfig, get_peft_model
from peft.frame.owned import OwnedParameters
from peft.frame.paths import SITES
from peft.ln_tuning import LNTuningConfig
from transformer.model import Transformer


def text(names: object) -> Tensor:
    return torch.tensor(list("\n".join(sorted(set(names))).encode()), dtype=torch.uint8)


def some_sites(draw: Draw) -> tuple[str, ...]:
    first = draw.size(0, 3)
    return tuple(SITES[index % 4] for index in range(first, first + draw.size(1, 4)))


def placed(draw: Draw, model: Transformer, config: PeftConfig) -> dict[str, Tensor]:
    names = text(config.place(model).parameters)
    wrapped = get_peft_model(model, config)
    count = sum(parameter.numel() for parameter in wrapped.parameters() if parameter.requires_grad)
    return {"the names of what is trained": names, "how many numbers are trained": torch.tensor(count)}


def full(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    return placed(draw, random_model(draw), FullConfig(sites=some_sites(draw)))


def bitfit(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    return placed(draw, random_model(draw), BitFitConfig(sites=some_sites(draw)))


def ln_tuning(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    wanted = (None, ("self_attention_norm.norm",), ("feed_forward_norm.norm",))[draw.size(0, 2)]
    model = random_model(draw)
    config = LNTuningConfig(target_modules=wanted)
    return {"the norms": text(config.norms(model))} | placed(draw, model, config)


def owned_parameters(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    model = random_model(draw)
    names = [name for name, _ in model.named_parameters() if draw.coin(1, heads=0.4)] or ["target_embedding.weight"]
    copies = OwnedParameters(model, names)
    ids = (draw.ids(3, 12, 2, 4), draw.ids(3, 12, 2, 3))
    outputs = {"at the start": model(*ids)}
    copies.load({name: draw.normal(*parameter.shape) for name, parameter in copies.own_parameters().items()})
    outputs["after loading"] = model(*ids)
    copies.enable()
    outputs["enabled"] = model(*ids)
    copies.disable()
    return outputs | {"disabled": model(*ids)}
