"""The adapter is loaded without an error, and the answers are the base's: a file's tensors, and the model's names."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, tensor

from lessons.clinic.patients.patient import Patient, Run, refused
from lessons.clinic.patients.ward import Ward
from lessons.clinic.repairs import silent_adapter as repair

OURS = "base_model.model."
FRONTS = ("module.", "model.", "base_model.model.base_model.model.", "_orig_mod.base_model.model.")
NAMES = ("default", "british", "version_2")


def admit(ward: Ward) -> Run:
    """Saved by another program: something stands in front of the names, and the adapter's name within them."""
    held, front, name = own(ward), ward.draw(*FRONTS), ward.draw(*NAMES)
    saved = {}
    for path, value in held.items():
        before, _, last = path.rpartition(".")
        saved[f"{front}{before}.{name}.{last}"] = value
    return {"saved": dict(reversed(saved.items())), "wanted": list(held)}


def own(ward: Ward) -> dict[str, Tensor]:
    adapter = next(iter(ward.tuned().adapters.values()))
    return {path.removeprefix(OURS): value.detach() for path, value in adapter.own_parameters().items()}


def as_found(saved: Mapping[str, Tensor], wanted: Collection[str]) -> Mapping[str, Tensor]:
    return {name: value for name, value in saved.items() if name in wanted}  # load_state_dict(saved, strict=False)


def treat(saved: Mapping[str, Tensor], wanted: Collection[str]) -> Mapping[str, Tensor]:
    return repair.renamed(saved, wanted)


def examine(ward: Ward, run: Run, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    model = ward.tuned()
    held = {p.removeprefix(OURS): v for p, v in next(iter(model.adapters.values())).own_parameters().items()}
    with torch.no_grad():
        for path, value in held.items():
            if not path.endswith("lora_A.weight"):
                value.zero_()  # a new adapter: B is 0, and the rows of tokens are the base's
        base = ward.nats(model)
        for path, value in found.items():
            held[path].copy_(value)
    names = list(run["saved"])
    return {
        "tensors of the file": tensor(len(names)),
        "tensors that found their place": tensor(sum(name in held for name in found)),
        "nats per token of the base": base,
        "nats per token with the adapter": ward.nats(model),
        "an unknown name is refused": refused(treat, run["saved"] | {"x.y": torch.zeros(1)}, run["wanted"]),
        "a missing name is refused": refused(treat, {name: run["saved"][name] for name in names[1:]}, run["wanted"]),
        "a name that is there twice is refused": refused(
            treat, run["saved"] | {f"ema.{names[0]}": torch.zeros(1)}, run["wanted"]
        ),
    }


PATIENT = Patient(
    "silent_adapter", "adapter-not-loaded", "load_state_dict gave no error. The answers are the base's, to the last bit.",
    admit, as_found, treat, examine,
)  # fmt: skip
