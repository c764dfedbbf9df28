"""Small batches, accumulated, end elsewhere than the large batch: the losses of each batch."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lessons.clinic.patients.patient import Patient, Run, refused
from lessons.clinic.patients.ward import Example, Ward
from lessons.clinic.reading import IGNORED
from lessons.clinic.repairs import small_batches as repair

Losses = Callable[[Example], Tensor]


class Watched:
    """The losses of a model's batches, and how many graphs were alive at once at most."""

    def __init__(self, ward: Ward):
        self.ward, self.model = ward, ward.tuned()
        self.parameter = next(p for name, p in self.model.named_parameters() if "lora_B" in name)
        self.begun = self.done = self.most = 0
        self.parameter.register_hook(self.finished)

    def finished(self, gradient: Tensor) -> None:
        self.done += 1

    def __call__(self, batch: Example) -> Tensor:
        self.begun += 1
        self.most = max(self.most, self.begun - self.done)
        return self.ward.token_losses(self.model, batch)


def admit(ward: Ward) -> Run:
    """Batches of unequal lengths; in one of them nothing is asked."""
    first, last = (dict(batch) for batch in ward.batches[:2])
    few = {name: rows[:2] for name, rows in first.items()}
    few["labels"] = few["labels"].clone()
    few["labels"][0] = IGNORED
    empty = {**first, "labels": torch.full_like(first["labels"], IGNORED)}
    return {"losses": Watched(ward), "batches": [few, empty, last]}


def as_found(losses: Losses, batches: Sequence[Example]) -> Tensor:
    total = torch.zeros(())
    for batch in batches:
        found = losses(batch)
        loss = found[found > 0].mean() / len(batches) if (found > 0).any() else found.sum()
        loss.backward()
        total = total + loss.detach()
    return total


def treat(losses: Losses, batches: Sequence[Example]) -> Tensor:
    return repair.accumulated(losses, batches)


def examine(ward: Ward, run: Run, loss: Tensor) -> dict[str, Tensor]:
    watched = run["losses"]
    gradient, model = watched.parameter.grad, ward.tuned()
    tokens = sum(int((batch["labels"] != IGNORED).sum()) for batch in run["batches"])
    large = sum(ward.token_losses(model, batch).sum() for batch in run["batches"]) / tokens
    wanted = torch.autograd.grad(large, next(p for name, p in model.named_parameters() if "lora_B" in name))[0]
    return {
        "the loss of the step": loss,
        "the loss of the large batch": large.detach(),
        "length of the gradient, accumulated": torch.zeros(()) if gradient is None else gradient.norm(),
        "length of the gradient of the large batch": wanted.norm(),
        "graphs that were alive at once": torch.tensor(watched.most),
        "the gradient": torch.zeros_like(wanted) if gradient is None else gradient,
        "the loss has a graph": torch.tensor(loss.requires_grad),
        "nothing asked at all is refused": refused(treat, run["losses"], [run["batches"][1]]),
    }


PATIENT = Patient(
    "small_batches", "accumulation-by-batches", "Three small batches for a step, as the large one did not fit. It ends elsewhere.",
    admit, as_found, treat, examine,
)  # fmt: skip
