"""The loss stays where it is: a model in training, and its optimizer."""

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn, tensor
from torch.optim import SGD, Optimizer

from lessons.clinic.patients.patient import Patient, Run
from lessons.clinic.patients.ward import Ward
from lessons.clinic.repairs import standing_loss as repair
from lessons.clinic.updates import weights

STEPS = 3


def admit(ward: Ward) -> Run:
    """The adapter is frozen, and the base is trained in its place; or the optimizer was built before the adapter was there."""
    model = ward.tuned()
    ids = {id(p) for p in next(iter(model.adapters.values())).own_parameters().values()}
    own = [name for name, p in model.named_parameters() if id(p) in ids]
    frozen = ward.draw("adapter frozen", "optimizer built before") == "adapter frozen"
    for name, parameter in model.named_parameters():
        parameter.requires_grad_((name in own) != frozen)
    held = [parameter for name, parameter in model.named_parameters() if name not in own]
    settings: dict[str, Any] = {"lr": ward.uniform(0.01, 0.03), "momentum": ward.uniform(0.1, 0.4)}
    return {"model": model, "own": own, "optimizer": SGD(held, **settings)}


def as_found(model: nn.Module, own: Collection[str], optimizer: Optimizer) -> Optimizer:
    return optimizer


def treat(model: nn.Module, own: Collection[str], optimizer: Optimizer) -> Optimizer:
    return repair.revived(model, own, optimizer)


def examine(ward: Ward, run: Run, optimizer: Optimizer) -> dict[str, Tensor]:
    model, named = run["model"], dict(run["model"].named_parameters())
    own = {id(named[name]) for name in run["own"]}
    held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    before = {path: matrix.clone() for path, matrix in weights(model).items()}
    first = ward.nats(model)
    learn(ward, model, optimizer)
    return {
        "numbers of the adapter": tensor(sum(p.numel() for p in named.values() if id(p) in own)),
        "... that are trainable": tensor(sum(p.numel() for p in named.values() if id(p) in own and p.requires_grad)),
        "... and that the optimizer holds": tensor(sum(p.numel() for p in held if id(p) in own)),
        "trainable numbers of the base": tensor(
            sum(p.numel() for p in named.values() if id(p) not in own and p.requires_grad)
        ),
        "numbers of the base that the optimizer holds": tensor(sum(p.numel() for p in held if id(p) not in own)),
        "rate and momentum": tensor([[group["lr"], group["momentum"]] for group in optimizer.param_groups]),
        "how far the base moved": torch.stack(
            [(weights(model)[path] - before[path]).abs().max() for path in before]
        ).max(),
        "nats per token, before and after some steps": torch.stack([first, ward.nats(model)]),
    }


def learn(ward: Ward, model: nn.Module, optimizer: Optimizer) -> None:
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = torch.stack([ward.token_losses(model, batch).sum() for batch in ward.batches]).sum() / 50
        if loss.requires_grad:
            loss.backward()
        optimizer.step()


PATIENT = Patient(
    "standing_loss", "base-not-frozen", "Some hundred steps, no error, and the adapter is as it was on the first day.",
    admit, as_found, treat, examine, settings=lambda ward, run: {
        "model": run["model"].train(), "batches": ward.batches, "optimizer": run["optimizer"],
    },
    hidden=("... that are trainable", "... and that the optimizer holds", "trainable numbers of the base", "numbers of the base that the optimizer holds",),
)  # fmt: skip
