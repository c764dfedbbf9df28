"""Grader: what stands beside the update, and the merge into the matrices that it was learnt beside."""

import torch

from lessons.clinic.repairs.four_bit_merge import merged, rest
from lessons.exercises.diagnosis import assert_matches
from quant import dequantize_4bit, quantize_4bit
from tests.exercises.graders import given


def case() -> tuple[dict, dict, dict]:
    """Published matrices, the same in four bits, and updates of two of the three."""
    published = {"fc1": given.normal(8, 16), "q_proj": given.normal(6, 8), "fc2": given.normal(4, 16)}
    bits = {path: quantize_4bit(matrix, block_size=32) for path, matrix in published.items()}
    return published, bits, {"fc1": 0.1 * given.normal(8, 16), "q_proj": 0.3 * given.normal(6, 8)}


def length(matrices: list) -> float:
    return float(sum(matrix.square().sum() for matrix in matrices)) ** 0.5


def test_the_rest_is_what_stands_beside_the_update():
    published, bits, update = case()
    exported = {path: matrix + update.get(path, 0.0) for path, matrix in published.items()}
    rounding = [published[path] - dequantize_4bit(bits[path]) for path in update]
    whole = [exported[path] - dequantize_4bit(bits[path]) for path in update]
    twice = [two + update[path] for two, path in zip(whole, update, strict=True)]
    one = length(list(update.values()))

    found = rest(exported, bits, update)

    known = {
        "the update itself is counted; the rest is what stands beside it": torch.tensor(length(whole) / one),
        "the update is added instead of taken away": torch.tensor(length(twice) / one),
        "the root is missing: these are squares": torch.tensor((length(rounding) / one) ** 2),
    }
    assert isinstance(found, float), f"kind: the rest is a Python float, not {type(found).__name__}"
    right = torch.tensor(length(rounding) / one)
    assert_matches(torch.tensor(found), right, name="the rest", mistakes=known, rtol=1e-4)


def test_the_rest_of_the_right_merge_is_0():
    _, bits, update = case()
    right = {path: dequantize_4bit(bits[path]) + update.get(path, 0.0) for path in bits}

    found = rest(right, bits, update)

    assert abs(found) < 1e-6, f"value: merged into Ŵ nothing stands beside the update, and {found:.3g} came"


def test_the_merged_matrices_are_those_of_training():
    published, bits, update = case()

    found = merged(bits, update)

    missing = [path for path in bits if path not in found]
    assert not missing, f"value: matrices are missing: {missing}; those without an update go along, dequantized"
    for path, matrix in published.items():
        learnt, delta = dequantize_4bit(bits[path]), update.get(path, torch.zeros_like(matrix))
        known = {
            "the update was written into the published matrix; it was learnt beside four bits": matrix + delta,
            "the update is missing": learnt,
            "the update is in it twice": learnt + 2 * delta,
        }
        if path not in update:
            known = {"it is the published matrix; in training it was in four bits": matrix}
        right = learnt + delta
        assert_matches(
            found[path], right, "d_out d_in", name=f"the matrix of {path}", dtype=right.dtype, mistakes=known
        )
