"""Grader: a step in parts is the step of the whole batch: sum over all tokens, clipped once, the weights changed once."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from lessons.exercises.diagnosis import assert_matches, assert_refused
from tests.exercises.graders import given
from transformer import TrainingConfig, Transformer, collate
from transformer.learning.step import one_step

PAD, BOS, EOS = 0, 1, 2
PARTS = ([[5, EOS]], [[6, 7, 8, 9, EOS], [EOS]], [[10, 11, EOS], [12, 13, 14, 15, 16, EOS]])
"""The targets of three parts, of 2, 6 and 9 tokens; where rows are unequal, there is padding."""
TOKENS = 17
FAR = 1e9
"""A norm that no gradient reaches."""


def batches(parts: Sequence = PARTS) -> list:
    return [collate([([*target[:-1], 3, EOS], target) for target in part], PAD, BOS) for part in parts]


class Counted(torch.optim.SGD):
    """With a rate of 1 the weights change by the gradient. Weights with two axes and others are two groups."""

    def __init__(self, model: Transformer):
        matrices = [parameter for parameter in model.parameters() if parameter.dim() >= 2]
        vectors = [parameter for parameter in model.parameters() if parameter.dim() < 2]
        super().__init__([{"params": vectors}, {"params": matrices}], lr=1.0)
        self.count = 0

    def step(self, closure: None = None) -> None:
        self.count += 1
        super().step(closure)


def stepped(model: Transformer, clip: float = FAR, parts: Sequence = PARTS, **named: object) -> tuple[Tensor, Tensor]:
    """The loss, and the gradient of the output's weight as it reached the weight."""
    before = model.output.weight.detach().clone()
    config = TrainingConfig(steps=1, clip_norm=clip)
    loss = one_step(model, batches(parts), TOKENS, Counted(model), config, PAD, **named)
    return loss, before - model.output.weight.detach()


def sums(model: Transformer, starts: Sequence = ((),) * len(PARTS)) -> list[Tensor]:
    """The loss of each part, summed over its tokens."""
    found = []
    for batch, offset in zip(batches(), starts, strict=True):
        logits = model(batch.source, batch.inputs, **({"offset": torch.tensor(offset)} if offset else {}))
        found.append(cross_entropy(logits.flatten(0, 1), batch.labels.flatten(), ignore_index=PAD, reduction="sum"))
    return found


def ways(model: Transformer) -> dict[str, Tensor]:
    """The loss of the step under "", and of each mistake."""
    found = sums(model)
    total = torch.stack(found).sum()
    real = [sum(len(row) for row in part) for part in PARTS]
    places = sum(batch.labels.numel() for batch in batches())
    return {
        "": total / TOKENS,
        "it is the mean of the parts' means: a token of a short part counts for more": torch.stack(
            [one / count for one, count in zip(found, real, strict=True)]
        ).mean(),
        "it is the sum over all tokens, and is not divided by their number": total,
        "it is divided by the number of parts, where the number of tokens is wanted": total / len(PARTS),
        "it is divided by the number of tokens and of parts": total / TOKENS / len(PARTS),
        "padding is counted among the tokens": total / places,
        "only the last part counts": found[-1] / TOKENS,
    }


def gradient(loss: Tensor, model: Transformer) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters()), retain_graph=True))


def clipped(gradients: list[Tensor], longest: float) -> list[Tensor]:
    norm = torch.stack([each.square().sum() for each in gradients]).sum().sqrt()
    return [each * min(1.0, longest / float(norm)) for each in gradients]


def of_output(gradients: list[Tensor], model: Transformer) -> Tensor:
    return next(each for each, p in zip(gradients, model.parameters(), strict=True) if p is model.output.weight)


def test_the_weights_change_once():
    model = given.model()
    optimizer = Counted(model)

    one_step(model, batches(), TOKENS, optimizer, TrainingConfig(steps=1, clip_norm=FAR), PAD)

    assert optimizer.count == 1, (
        f"property: optimizer.step() was called {optimizer.count} times; the weights change once, after all parts"
    )


def test_the_gradients_of_the_parts_add_up_to_that_of_the_whole_batch():
    model = given.model()
    wanted = {name: of_output(gradient(loss, model), model) for name, loss in ways(model).items()}

    _, came = stepped(model)

    right = wanted.pop("")
    assert_matches(came, right, "vocab d_model", name="the gradient", mistakes=wanted)


def test_what_an_earlier_step_left_in_the_gradients_is_gone():
    model = given.model()
    right = of_output(gradient(ways(model)[""], model), model)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)

    _, came = stepped(model)

    mistakes = {"what an earlier step left in the gradients is still in them": right + 1.0}
    assert_matches(came, right, "vocab d_model", name="the gradient", mistakes=mistakes)


def test_one_graph_is_alive_at_a_time():
    model, alive, most = given.model(), [], []

    def begun(*_: object) -> None:
        alive.append(1)
        most.append(len(alive))

    model.register_forward_pre_hook(begun)
    model.output.weight.register_hook(lambda _: alive.clear())
    stepped(model)

    assert max(most) == 1, f"property: {max(most)} graphs were alive at once; call backward() before the next part"


def test_the_loss_is_that_of_the_whole_batch():
    model = given.model()
    wanted = {name: loss.detach() for name, loss in ways(model).items()}

    loss, _ = stepped(model)

    assert not getattr(loss, "requires_grad", False), "property: the loss that is given back carries a graph; detach it"
    right = wanted.pop("")
    assert_matches(loss, right, name="the loss", mistakes=wanted)


def test_a_long_gradient_is_shortened_once_and_as_a_whole():
    model = given.model()
    each = [gradient(one / TOKENS, model) for one in sums(model)]
    whole = [sum(some) for some in zip(*each, strict=True)]
    longest = 0.3 * float(torch.stack([part.square().sum() for part in whole]).sum().sqrt())
    running = [torch.zeros_like(part) for part in whole]
    for part in each:
        running = clipped([old + new for old, new in zip(running, part, strict=True)], longest)
    apart = [sum(some) for some in zip(*(clipped(part, longest) for part in each), strict=True)]

    _, came = stepped(model, clip=longest)

    mistakes = {
        "the gradient is not clipped": whole,
        "the gradient is clipped after each part, where it is clipped once, after all of them": running,
        "each part's gradient is clipped by itself, where their sum is clipped": apart,
    }
    assert_matches(
        came,
        of_output(clipped(whole, longest), model),
        "vocab d_model",
        name="the gradient",
        mistakes={name: of_output(found, model) for name, found in mistakes.items()},
    )


def test_idle_parts_count_for_nothing():
    model = given.model()
    right = of_output(gradient(ways(model)[""], model), model)
    counted = of_output(gradient((torch.stack(sums(model)).sum() + sums(model)[0]) / TOKENS, model), model)

    _, came = stepped(model, parts=[*PARTS, PARTS[0]], idle=1)

    mistakes = {"the last part is idle and counts nevertheless": counted}
    assert_matches(came, right, "vocab d_model", name="the gradient", mistakes=mistakes)


def test_the_sources_begin_where_they_are_said_to():
    model = given.model()
    starts = [[[4]], [[0], [2]], [[5], [3]]]
    right = of_output(gradient(torch.stack(sums(model, starts)).sum() / TOKENS, model), model)

    mistakes = {"all sources begin at 0, where `starts` says something else": ways(model)[""]}
    wrong = {name: of_output(gradient(loss, model), model) for name, loss in mistakes.items()}
    _, came = stepped(model, starts=starts)

    assert_matches(came, right, "vocab d_model", name="the gradient", mistakes=wrong)


def test_a_loss_that_is_not_finite_is_refused_and_changes_no_weight():
    model = given.model()
    with torch.no_grad():
        model.output.weight[5] = float("nan")
    before = model.encoder.layers[0].feed_forward.fc1.weight.detach().clone()

    assert_refused(one_step, model, batches(), TOKENS, Counted(model), TrainingConfig(steps=1, clip_norm=FAR), PAD)

    after = model.encoder.layers[0].feed_forward.fc1.weight
    assert torch.equal(after, before), "value: the weights were changed before the loss was looked at"


def test_a_gradient_that_is_not_finite_is_refused_and_changes_no_weight():
    model = given.model()
    model.output.weight.register_hook(lambda gradient: gradient * float("inf"))
    before = model.encoder.layers[0].feed_forward.fc1.weight.detach().clone()

    assert_refused(one_step, model, batches(), TOKENS, Counted(model), TrainingConfig(steps=1, clip_norm=FAR), PAD)

    after = model.encoder.layers[0].feed_forward.fc1.weight
    assert torch.equal(after, before), "value: the weights were changed before the gradient's norm was looked at"
