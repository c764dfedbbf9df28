"""One step of a training, and the loop around it: what the optimizer, the examples and the processes are asked for."""

from contextlib import contextmanager

import pytest
import torch

from tests.transformer import small
from tests.transformer.reversal import fresh_model, pairs, settings
from transformer import TrainingConfig, collate, train
from transformer.learning import step, training
from transformer.learning.batching import Pairs
from transformer.learning.distributed import Processes
from transformer.learning.step import one_step, shared_once, summed_losses
from transformer.learning.training import numbered_batches

PAIRS = [([5, 6, 2], [7, 2]), ([4, 2], [8, 9, 3, 2])]
TOKENS = 6


def batch(*chosen):
    return collate(chosen, pad_id=0, bos_id=1)


def stepped(model, parts, **asked):
    """Loss and gradients of a step that leaves the weights where they are."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    loss = one_step(model, parts, TOKENS, optimizer, TrainingConfig(1, clip_norm=1e9), pad_id=0, **asked)
    return loss, {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def test_the_parts_of_a_batch_count_by_their_tokens():
    model = small.model()

    loss, gradients = stepped(model, [batch(PAIRS[0]), batch(PAIRS[1])])
    expected, expected_gradients = stepped(model, [batch(*PAIRS)])

    torch.testing.assert_close(loss, expected)
    small.assert_equal(gradients, expected_gradients)
    assert not loss.requires_grad


def test_alone_every_part_counts_and_the_step_is_the_first():
    model, batches = small.model(), [batch(PAIRS[0]), batch(PAIRS[1])]

    losses = list(summed_losses(model, batches, TrainingConfig(1), pad_id=0))

    assert [loss.item() > 0 for loss in losses] == [True, True]
    torch.nn.init.constant_(model.output.weight, float("nan"))
    with pytest.raises(ValueError, match=r"^step 1: the loss is nan"):
        stepped(model, batches)


@pytest.mark.parametrize("idle", [1, 2])
def test_idle_parts_at_the_end_count_for_nothing(idle):
    model = small.model()

    loss, gradients = stepped(model, [batch(PAIRS[0]), *idle * [batch(PAIRS[1])]], idle=idle)
    expected, expected_gradients = stepped(model, [batch(PAIRS[0])])

    torch.testing.assert_close(loss, expected)
    small.assert_equal(gradients, expected_gradients)


def test_what_a_step_does_not_read_stays_where_it_was_although_an_earlier_step_has_moved_it():
    """Neither the momentum that AdamW has of it nor its decay reaches it."""
    model, apart = small.model(), torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([*model.parameters(), apart], lr=0.1, weight_decay=0.1)
    apart.grad = torch.ones(3)
    optimizer.step()
    before = apart.detach().clone()

    one_step(model, [batch(*PAIRS)], TOKENS, optimizer, TrainingConfig(1), pad_id=0)

    assert torch.equal(apart, before)


def test_a_step_from_broken_weights_stops_at_its_number():
    model = small.model()
    with torch.no_grad():
        model.encoder.layers[0].feed_forward.fc1.bias[0] = float("nan")

    with pytest.raises(ValueError, match="step 4: the loss is nan"):
        stepped(model, [batch(*PAIRS)], step=4)


class Several(torch.nn.Module):
    """What stands for DistributedDataParallel."""

    def __init__(self):
        super().__init__()
        self.held_back = 0

    @contextmanager
    def no_sync(self):
        self.held_back += 1
        yield


def test_several_processes_bring_their_gradients_together_after_the_last_part(monkeypatch):
    monkeypatch.setattr(step, "DistributedDataParallel", Several)
    network = Several()

    for last in (False, False, True):
        with shared_once(network, last):
            pass
    with shared_once(torch.nn.Linear(1, 1), last=False):
        pass

    assert network.held_back == 2


def test_one_step_says_which_part_is_the_last(monkeypatch):
    said, through = [], step.shared_once
    monkeypatch.setattr(step, "shared_once", lambda network, last: said.append(last) or through(network, last))

    stepped(small.model(), [batch(PAIRS[0]), batch(PAIRS[1]), batch(PAIRS[0])])

    assert said == [False, False, True]


def test_the_optimizer_is_the_papers(monkeypatch):
    asked, adamw = [], torch.optim.AdamW

    def noted(groups, **settings):
        asked.append(settings)
        return adamw(groups, **settings)

    monkeypatch.setattr(torch.optim, "AdamW", noted)
    train(fresh_model(), pairs(), settings(1, betas=(0.8, 0.7)))

    assert asked == [{"betas": (0.8, 0.7), "eps": 1e-9, "fused": True}]


def test_a_model_trains_in_training_mode_with_random_numbers_of_seed_and_step_and_rests_afterwards(monkeypatch):
    seen, model = [], fresh_model().eval()
    model.encoder.layers[0].register_forward_hook(lambda *_: seen.append((model.training, torch.initial_seed())))
    before = torch.get_rng_state()

    train(model, pairs(), settings(3, seed=2))

    assert seen == [(True, 2 * 1_000_003 + step) for step in (1, 2, 3)]
    assert not model.training
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shard", [False, True])
def test_where_there_are_several_processes_each_has_the_network_or_a_share_of_it(monkeypatch, shard):
    given = []

    class Noting(Processes):
        def parallel(self, model):
            given.append((model, "whole"))
            return model

        def shard(self, model, groups):
            given.append((model, "a share"))
            return groups

    monkeypatch.setattr(training, "Processes", Noting)
    model = fresh_model()
    train(model, pairs(), settings(1), shard=shard)

    assert given == [(model, "a share" if shard else "whole")]


@pytest.mark.parametrize(("steps", "epochs"), [(3, 1), (4, 2), (7, 3)])
def test_epoch_follows_epoch_until_the_last_step(steps, epochs):
    asked = []

    class ThreeBatches(Pairs):
        def batches(self, max_tokens, seed, epoch):
            asked.append((max_tokens, seed, epoch))
            return [[10 * epoch + number] for number in range(3)]

    found = list(numbered_batches(ThreeBatches(pairs()), TrainingConfig(steps, max_tokens=9, seed=4), first=2))

    expected = [(step, [10 * ((step - 1) // 3) + (step - 1) % 3]) for step in range(2, steps + 1)]
    assert found == expected
    assert asked == [(9, 4, epoch) for epoch in range(epochs)]
