"""Probes of lessons 11 and 12. Names are compared as sorted text, the order in which they come is free."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw, refusal
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
    return tuple(SITES[index % 4] for index in range(first, first + draw.size(1, 3)))


def placed(draw: Draw, model: Transformer, config: PeftConfig) -> dict[str, Tensor]:
    names = text(config.place(model).parameters)
    wrapped = get_peft_model(model, config)
    count = sum(parameter.numel() for parameter in wrapped.parameters() if parameter.requires_grad)
    return {"the names of what is trained": names, "how many numbers are trained": torch.tensor(count)}


def full(seed: int) -> dict[str, Tensor]:
    return everywhere_and_in_some_sites(Draw(seed), FullConfig)


def everywhere_and_in_some_sites(draw: Draw, config: type[PeftConfig]) -> dict[str, Tensor]:
    """Also the embeddings, of which a tied matrix has several names and is one."""
    found = {}
    for where, sites in (("everywhere", SITES), ("in some sites", some_sites(draw))):
        for tied in (True, False):
            model = random_model(draw, tie_embeddings=tied)
            what = f"{where}, {'tied' if tied else 'not tied'}"
            found |= {f"{name}, {what}": t for name, t in placed(draw, model, config(sites=sites)).items()}
    return found


def bitfit(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    found = everywhere_and_in_some_sites(draw, BitFitConfig)
    bare = random_model(draw)
    for module in bare.modules():
        if getattr(module, "bias", None) is not None:
            module.bias = None
    return found | {"the kind of error for a base without biases": refusal(BitFitConfig().place, bare)}


def ln_tuning(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    norms = ("self_attention_norm.norm", "feed_forward_norm.norm", "cross_attention_norm.norm")
    some, other = (norms[(draw.size(0, 2) + step) % 3] for step in (0, 1))
    choices: dict[str, dict[str, Any]] = {
        "all": {},
        "some": {"target_modules": (some,)},
        "all but some": {"exclude_modules": (other,)},
        "none of the cross": {"target_modules": norms, "exclude_modules": ("cross_attention_norm.norm",)},
    }
    found = {}
    for what, choice in choices.items():
        model, config = random_model(draw), LNTuningConfig(**choice)
        found |= {f"the norms, {what}": text(config.norms(model))}
        found |= {f"{name}, {what}": tensor for name, tensor in placed(draw, model, config).items()}
    return found


def owned_parameters(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    model = random_model(draw, tie_embeddings=True)
    names = [name for name, _ in model.named_parameters() if draw.coin(1, heads=0.4)]
    names += ["source_embedding.weight"]  # it is the target's matrix and the output's too
    first = dict(model.named_parameters())
    copies = OwnedParameters(model, names)
    ids = (draw.ids(3, 12, 2, 4), draw.ids(3, 12, 2, 3))
    outputs = {"at the start": model(*ids)}
    new = {name: draw.normal(*parameter.shape) for name, parameter in copies.own_parameters().items()}
    copies.load(new)
    for tensor in new.values():
        tensor.zero_()  # what was loaded is a copy
    outputs["after loading"] = model(*ids)
    copies.enable()
    outputs["enabled"] = model(*ids)
    outputs["is it the copy that stands there"] = torch.tensor(held(model, copies.own_parameters()))
    copies.disable()
    outputs["is it the base's own tensor again"] = torch.tensor(
        held(model, {name: first[name] for name in copies.names})
    )
    return outputs | {"disabled": model(*ids)}


def held(model: Transformer, tensors: Mapping[str, Tensor]) -> bool:
    """Whether the model has these very tensors, not others of the same numbers."""
    return all(model.get_parameter(name) is tensor for name, tensor in tensors.items())
