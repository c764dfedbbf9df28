"""Grader: the past is projected once."""

import torch

from lessons.exercises.diagnosis import assert_matches
from tests.exercises.graders import given
from transformer.decoding.cache import GrowingCache

BATCH, HEADS, D_HEAD, CAPACITY = 2, 3, 4, 7
AXES = "batch heads time d_head"


def pieces(*lengths):
    """Keys and values of several calls, each of so many positions."""
    return [(given.normal(BATCH, HEADS, n, D_HEAD), given.normal(BATCH, HEADS, n, D_HEAD)) for n in lengths]


def whole(calls, part):
    return torch.cat([call[part] for call in calls], dim=2)


def test_each_call_gives_all_keys_and_values_so_far():
    store, calls = GrowingCache(CAPACITY), pieces(1, 3, 2)

    for number, call in enumerate(calls, start=1):
        result = store.keys_and_values(lambda call=call: call)

        assert result is not None, "kind: keys_and_values returns nothing: is `return` missing?"
        for part, name in enumerate(("keys", "values")):
            mistakes = {"keys and values have changed places": whole(calls[:number], 1 - part)}
            wanted = whole(calls[:number], part)
            assert_matches(result[part], wanted, AXES, name=f"the {name} after call {number}", mistakes=mistakes)


def test_the_length_counts_positions():
    store = GrowingCache(CAPACITY)

    for call in pieces(1, 3, 2):
        store.keys_and_values(lambda call=call: call)

    assert store.length == 6, f"value: after 1, 3 and 2 positions the length is 6, not {store.length}"


def test_what_comes_in_is_projected_exactly_once_a_call():
    store, count = GrowingCache(CAPACITY), []

    def project():
        count.append(1)
        return pieces(1)[0]

    store.keys_and_values(project)
    store.keys_and_values(project)

    assert len(count) == 2, f"property: two calls project twice, not {len(count)} times"


def test_room_is_made_once_for_the_whole_capacity():
    store = GrowingCache(CAPACITY)
    addresses = set()

    for call in pieces(1, 1, 1):
        store.keys_and_values(lambda call=call: call)
        addresses.add(store.stored[0].data_ptr())

    assert store.stored[0].shape[2] == CAPACITY, (
        f"property: memory is taken once, for {CAPACITY} positions, not for {store.stored[0].shape[2]}"
    )
    assert len(addresses) == 1, "property: what is stored is written in place, not copied at each call"


def test_when_beams_change_places_the_past_goes_with_them():
    store, calls = GrowingCache(CAPACITY), pieces(2, 1)
    store.keys_and_values(lambda: calls[0])

    store.reorder(torch.tensor([1, 1]))
    keys, _ = store.keys_and_values(lambda: calls[1])

    wanted = torch.cat([calls[0][0][[1, 1]], calls[1][0]], dim=2)
    assert_matches(keys, wanted, AXES, name="the keys after both rows became row 1")
