"""Grader: gradients of several batches are those of one large batch."""

import torch
from torch import Tensor

from lessons.clinic.repairs.small_batches import accumulated
from lessons.exercises.diagnosis import assert_matches, assert_refused
from tests.exercises.graders import given

NOT = -100


class Losses:
    """Each place costs its row of `inputs` times the weight; counts the graphs that are alive at once."""

    def __init__(self) -> None:
        self.weight = given.normal(4).requires_grad_()
        self.begun = self.done = self.most = 0
        self.weight.register_hook(self.finished)

    def finished(self, gradient: Tensor) -> None:
        self.done += 1

    def __call__(self, batch: dict) -> Tensor:
        self.begun += 1
        self.most = max(self.most, self.begun - self.done)
        return ((batch["inputs"] @ self.weight) ** 2).masked_fill(batch["labels"] == NOT, 0.0)


def batches() -> list[dict]:
    """One token, none, and many."""
    labels = [[[3, NOT, NOT]], [[NOT, NOT]], [[4, 5, 6, 2], [7, 8, 2, NOT], [9, 2, NOT, NOT]]]
    made = [torch.tensor(rows) for rows in labels]
    return [{"inputs": given.normal(*rows.shape, 4), "labels": rows} for rows in made]


def ways(losses: Losses, found: list[dict]) -> dict[str, Tensor]:
    """The loss of the large batch under "", and of each mistake."""
    sums = [losses(batch).sum() for batch in found]
    counts = [int((batch["labels"] != NOT).sum()) for batch in found]
    places = sum(batch["labels"].numel() for batch in found)
    total = torch.stack(sums).sum()
    means = torch.stack([one / max(count, 1) for one, count in zip(sums, counts, strict=True)])
    return {
        "": total / sum(counts),
        "it is the mean of means: a token of a short batch counts for more": means.mean(),
        "it is the sum over all tokens, and is not divided by their number": total,
        "places without a label are counted among the tokens": total / places,
        "each batch is divided by its own places": torch.stack([losses(batch).mean() for batch in found]).mean(),
    }


def test_the_gradient_is_that_of_the_large_batch():
    losses, found = Losses(), batches()

    accumulated(losses, found)

    came = losses.weight.grad
    assert came is not None, "value: there is no gradient: backward() was never called"
    wanted = {
        name: torch.autograd.grad(loss, losses.weight, retain_graph=True)[0]
        for name, loss in ways(losses, found).items()
    }
    right = wanted.pop("")
    assert_matches(came, right, "features", name="the gradient", mistakes=wanted)


def test_the_loss_is_that_of_the_large_batch():
    losses, found = Losses(), batches()

    loss = accumulated(losses, found)

    assert not loss.requires_grad, "property: the loss that is given back carries no graph; detach it"
    wanted = {name: value.detach() for name, value in ways(losses, found).items()}
    right = wanted.pop("")
    assert_matches(loss, right, name="the loss", mistakes=wanted)


def test_one_graph_is_alive_at_a_time():
    losses, found = Losses(), batches()

    accumulated(losses, found)

    assert losses.most == 1, f"property: {losses.most} graphs were alive at once; call backward() after each batch"


def test_batches_that_ask_for_nothing_are_refused():
    assert_refused(accumulated, Losses(), batches()[1:2])
