"""Grader: the factor in front of B A."""

import pytest

from peft.low_rank import scaling_of


@pytest.mark.parametrize(("rank", "alpha"), [(4, 6.0), (16, 8), (1, 3.0)])
def test_lora_divides_alpha_by_the_rank(rank, alpha):
    came = scaling_of(rank, alpha, use_rslora=False)

    assert came is not None, "kind: scaling_of returns nothing: is `return` missing?"
    wrong = {
        alpha: "α alone",
        alpha * rank: "α · r",
        rank / alpha: "r / α",
        alpha / rank**0.5: "α / √r, which is rsLoRA's",
    }
    looks = f": that is {wrong[came]}" if came in wrong else ""
    assert came == pytest.approx(alpha / rank), (
        f"value: rank {rank}, alpha {alpha} gives α / r = {alpha / rank}, not {came}{looks}"
    )


@pytest.mark.parametrize(("rank", "alpha"), [(4, 6.0), (16, 8), (9, 3.0)])
def test_rslora_divides_it_by_the_root_of_the_rank(rank, alpha):
    came = scaling_of(rank, alpha, use_rslora=True)

    assert came is not None, "kind: scaling_of returns nothing: is `return` missing?"
    wrong = {alpha / rank: "α / r, which is LoRA's", alpha * rank**0.5: "α · √r", (alpha / rank) ** 0.5: "√(α / r)"}
    looks = f": that is {wrong[came]}" if came in wrong else ""
    right = alpha / rank**0.5
    assert came == pytest.approx(right), (
        f"value: rank {rank}, alpha {alpha} gives α / √r = {right:.4f}, not {came}{looks}"
    )
