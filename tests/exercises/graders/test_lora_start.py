"""Grader: how A and B start, and what their product is."""

import math

import pytest

from lessons.exercises.diagnosis import assert_matches
from peft.low_rank import new_factors, product

D_IN, D_OUT, RANK = 500, 30, 20


def factors(initialization):
    return tuple(factor.double() for factor in new_factors(D_IN, D_OUT, RANK, initialization))


@pytest.mark.parametrize("initialization", [True, "gaussian", False])
def test_a_goes_down_to_the_rank_and_b_up_from_it_without_biases(initialization):
    down, up = factors(initialization)

    shapes = {"A": (tuple(down.weight.shape), (RANK, D_IN)), "B": (tuple(up.weight.shape), (D_OUT, RANK))}
    for name, (came, wanted) in shapes.items():
        assert came == wanted, f"shape: {name} is {came}, where (rank, d_in) and (d_out, rank) are wanted: {wanted}"
    assert down.bias is None, "property: A has no bias"
    assert up.bias is None, "property: B has no bias"


@pytest.mark.parametrize("initialization", [True, "gaussian"])
def test_the_update_is_zero_at_the_start_because_b_is(initialization):
    down, up = factors(initialization)

    assert not up.weight.any(), "property: B starts at 0, so that the model starts as the base"
    assert down.weight.any(), "property: A does not start at 0: with both at 0 nothing would ever learn"


def test_for_tests_both_may_be_random():
    down, up = factors(False)

    assert down.weight.any(), "property: with False A is random"
    assert up.weight.any(), "property: with False B is random"


UNIFORM, NORMAL = math.sqrt(3) / 2, math.sqrt(2 / math.pi)
"""E|x| / deviation, by which the two distributions are told apart."""

DEVIATIONS = {
    "A is drawn as for gaussian, from N(0, 1/r²)": 1 / RANK,
    "A is drawn as for True, uniform on ±1/√d_in": 1 / math.sqrt(3 * D_IN),
    "1 / r² is taken for the deviation, where N(0, 1/r²) has the deviation 1 / r": 1 / RANK**2,
    "1 / √r is taken for the deviation, where it is 1 / r": 1 / math.sqrt(RANK),
    "1 / √d_in is taken for the deviation, where it is the limit of a uniform distribution": 1 / math.sqrt(D_IN),
    "it is the start for a ReLU, √6 times too wide: kaiming_uniform_ wants a=√5": math.sqrt(2 / D_IN),
    "1 / d_in is taken for the limit, where it is 1 / √d_in": 1 / (math.sqrt(3) * D_IN),
    "1 / r is taken for the limit, where it is 1 / √d_in": 1 / (math.sqrt(3) * RANK),
    "it is a standard normal distribution": 1.0,
}


@pytest.mark.parametrize("initialization", [True, False, "gaussian"])
def test_a_has_the_spread_that_the_start_asks_for(initialization):
    down, _ = factors(initialization)

    is_normal = initialization == "gaussian"
    deviation = 1 / RANK if is_normal else 1 / math.sqrt(3 * D_IN)
    came = float(down.weight.detach().std())
    looks = next((f": {said}" for said, value in DEVIATIONS.items() if came == pytest.approx(value, rel=0.05)), "")
    assert came == pytest.approx(deviation, rel=0.05), (
        f"value: with {initialization} A's deviation is {came:.4f}, where {deviation:.4f} is expected{looks}"
    )


@pytest.mark.parametrize("initialization", [True, False, "gaussian"])
def test_a_is_uniform_or_normal_as_the_start_asks(initialization):
    down, _ = factors(initialization)

    weight = down.weight.detach()
    curve = float(weight.abs().mean() / weight.std())
    if initialization == "gaussian":
        assert curve == pytest.approx(NORMAL, rel=0.04), (
            "property: with gaussian A is normal, and this is another distribution"
        )
    else:
        assert curve == pytest.approx(UNIFORM, rel=0.04), (
            f"property: with {initialization} A is uniform, and this is another distribution"
        )


def test_the_product_is_scaled_b_times_a():
    down, up = factors(False)

    right = 1.5 * up.weight.detach() @ down.weight.detach()
    assert_matches(product(up, down, 1.5), right, "d_out d_in", name="the product", scales={"s": 1.5})


def test_gradients_reach_both_factors():
    down, up = factors(False)

    product(up, down, 1.5).sum().backward()

    assert down.weight.grad is not None, "gradient: no gradient reaches A"
    assert up.weight.grad is not None, "gradient: no gradient reaches B"
