"""The key/value cache: what it saves is work, never a number."""

import pytest
import torch

from tests.transformer import small
from tests.transformer.small import SOURCE, TARGET

KINDS = pytest.mark.parametrize(
    "changes",
    [{}, {"norm": "pre", "positions": "learned"}, {"attention": "fused"}],
    ids=["paper", "pre", "fused"],
)


@KINDS
@pytest.mark.parametrize("pieces", [[1] * 7, [3, 4], [2, 1, 4]])
def test_decoding_piece_by_piece_gives_the_logits_of_decoding_at_once(changes, pieces):
    model = small.model(**changes)
    memory, mask = model.encode(SOURCE)
    cache = model.new_cache(7)

    with torch.no_grad():
        logits = [model.decode(piece, memory, mask, cache) for piece in TARGET.split(pieces, dim=1)]

    torch.testing.assert_close(torch.cat(logits, dim=1), model.decode(TARGET, memory, mask))


def test_the_memory_is_projected_once_and_a_step_projects_one_position():
    model = small.model()
    memory, mask = model.encode(SOURCE)
    cache = model.new_cache(7)
    seen = []
    layer = model.decoder.layers[1]
    for projection in (layer.cross_attention.k_proj, layer.self_attention.k_proj):
        projection.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].shape[1]))

    with torch.no_grad():
        for piece in TARGET.split(1, dim=1):
            model.decode(piece, memory, mask, cache)

    assert sorted(seen) == [1] * 7 + [5]


def test_rows_that_are_reordered_go_on_as_the_rows_they_became():
    model = small.model()
    memory, mask = (x[[0, 0, 0]] for x in model.encode(SOURCE))
    cache = model.new_cache(7)
    rows = torch.tensor([2, 0, 2])
    with torch.no_grad():
        model.decode(TARGET[:, :4], memory, mask, cache)

        cache.reorder(rows)
        logits = model.decode(TARGET[:, 4:], memory, mask, cache)

    continued = torch.cat([TARGET[rows, :4], TARGET[:, 4:]], dim=1)
    torch.testing.assert_close(logits, model.decode(continued, memory, mask)[:, 4:])


def test_a_cache_that_is_full_says_so():
    model = small.model()
    memory, mask = model.encode(SOURCE)
    cache = model.new_cache(5)
    with torch.no_grad():
        model.decode(TARGET[:, :4], memory, mask, cache)

        with pytest.raises(ValueError, match="room for 5 positions; 4 are taken, 3 more came"):
            model.decode(TARGET[:, 4:], memory, mask, cache)


def test_ids_are_checked_when_they_enter_and_not_at_every_step(monkeypatch):
    model = small.model()
    memory, mask = model.encode(SOURCE)
    cache = model.new_cache(7)
    checked = []
    monkeypatch.setattr(model, "check_ids", lambda name, ids: checked.append((name, tuple(ids.shape))))

    with torch.no_grad():
        for piece in TARGET.split([3, 1, 3], dim=1):
            model.decode(piece, memory, mask, cache)

    assert checked == [("target", (3, 3))]


def test_a_new_cache_is_allocated_once():
    model = small.model()
    memory, mask = model.encode(SOURCE)
    cache = model.new_cache(7)
    places = set()
    with torch.no_grad():
        for piece in TARGET.split(1, dim=1):
            model.decode(piece, memory, mask, cache)
            places.add(tuple(store.data_ptr() for store in cache.layers[0][0].stored))

    assert len(places) == 1
