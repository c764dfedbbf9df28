"""Batches: every pair once, lengths together, the same order whenever it is asked for again."""

import pytest
import torch

from tests.transformer import small
from transformer import TrainingConfig, collate, epoch_batches, train
from transformer.learning.batching import pad, seed_of
from transformer.learning.texts import Texts


def pairs_of(*lengths: tuple[int, int]) -> list[tuple[list[int], list[int]]]:
    return [([5] * source, [6] * target) for source, target in lengths]


def many_pairs(rng, count: int = 300):
    return pairs_of(*rng.integers(1, 12, size=(count, 2)).tolist())


def test_a_batch_is_padded_on_the_right_and_the_inputs_are_one_step_behind():
    batch = collate([([4, 5, 6], [7, 8, 2]), ([9], [3, 2])], pad_id=0, bos_id=1)

    assert batch.source.tolist() == [[4, 5, 6], [9, 0, 0]]
    assert batch.inputs.tolist() == [[1, 7, 8], [1, 3, 0]]
    assert batch.labels.tolist() == [[7, 8, 2], [3, 2, 0]]


def test_a_batch_moves_as_a_whole():
    batch = collate([([4], [2])], pad_id=0, bos_id=1).to(torch.device("meta"))

    assert {batch.source.device.type, batch.inputs.device.type, batch.labels.device.type} == {"meta"}


@pytest.mark.parametrize("rows", [[], [[5, 6], []]])
def test_nothing_cannot_be_padded(rows):
    with pytest.raises(ValueError, match="empty batch or an empty row: lengths"):
        pad(rows, pad_id=0)


def test_an_epoch_holds_every_pair_once(rng):
    pairs = many_pairs(rng)

    batches = epoch_batches(pairs, max_tokens=60, seed=1, epoch=0)

    assert sorted(index for batch in batches for index in batch) == list(range(300))


@pytest.mark.parametrize("max_tokens", [11, 40, 100])
def test_no_batch_holds_more_target_tokens_than_allowed_padding_counted(rng, max_tokens):
    pairs = many_pairs(rng)

    for batch in epoch_batches(pairs, max_tokens, seed=1, epoch=0):
        assert max(len(pairs[index][1]) for index in batch) * len(batch) <= max_tokens


def test_a_target_longer_than_a_batch_gets_one_of_its_own():
    batches = epoch_batches(pairs_of((1, 50), (1, 2), (1, 3)), max_tokens=8, seed=1, epoch=0)

    assert sorted(map(sorted, batches)) == [[0], [1, 2]]


def test_sources_of_one_length_come_together(rng):
    pairs = many_pairs(rng)

    spread = [
        max(len(pairs[index][0]) for index in batch) - min(len(pairs[index][0]) for index in batch)
        for batch in epoch_batches(pairs, max_tokens=60, seed=1, epoch=0)
    ]

    assert max(spread) <= 1
    assert sum(spread) <= 11


def test_little_is_spent_on_padding(rng):
    pairs = many_pairs(rng, 2000)

    batches = epoch_batches(pairs, max_tokens=100, seed=1, epoch=0)

    paid = sum(max(len(pairs[index][1]) for index in batch) * len(batch) for batch in batches)
    assert sum(len(target) for _, target in pairs) / paid > 0.9


def test_the_same_seed_and_epoch_give_the_same_batches_and_others_other_ones(rng):
    pairs = many_pairs(rng)
    first, again, later, other = (
        epoch_batches(pairs, 60, seed, epoch) for seed, epoch in ((1, 0), (1, 0), (1, 1), (2, 0))
    )

    assert first == again
    assert first != later
    assert first != other
    assert sorted(map(sorted, first)) != sorted(map(sorted, later))  # other companions, not only another order


def test_batches_do_not_come_in_the_order_of_their_lengths(rng):
    pairs = many_pairs(rng)

    lengths = [len(pairs[batch[0]][0]) for batch in epoch_batches(pairs, 60, seed=1, epoch=0)]

    assert lengths != sorted(lengths)


def test_the_global_random_state_has_no_part_in_it(rng):
    pairs = many_pairs(rng)
    first = epoch_batches(pairs, 60, seed=1, epoch=0)
    before = torch.random.get_rng_state()
    torch.manual_seed(99)

    assert epoch_batches(pairs, 60, seed=1, epoch=0) == first
    torch.random.set_rng_state(before)


def test_a_batch_must_hold_a_token():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        epoch_batches(pairs_of((1, 1)), 0, seed=1, epoch=0)


def test_a_batch_may_hold_one_token():
    assert sorted(epoch_batches(pairs_of((1, 1), (2, 1)), max_tokens=1, seed=0, epoch=0)) == [[0], [1]]


def test_a_seed_may_be_as_large_as_the_clock():
    seed = 1_800_000_000_000_000_000

    assert seed_of(seed, 1) != seed_of(seed + 1, 1)
    assert all(seed_of(seed + later, 1) < 2**63 for later in range(20))
    assert sorted(epoch_batches(pairs_of((1, 1), (2, 1)), 9, seed, epoch=1)) == [[0, 1]]
    assert sorted(Texts([([3, 4], [False, True])] * 2, width=2).batches(2, seed, epoch=1)) == [[0], [1]]
    train(small.model(), [([3, 2], [4, 2])], TrainingConfig(1, seed=seed))


def test_seed_and_epoch_make_one_number_and_no_two_seeds_share_an_epoch():
    generator = torch.Generator().manual_seed(2 * 1_000_003 + 5)

    assert epoch_batches(pairs_of(*9 * [(1, 1)]), 99, seed=2, epoch=5) == [
        torch.randperm(9, generator=generator).tolist()
    ]
