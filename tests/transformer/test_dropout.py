"""Dropout: zeros by chance, the others larger, the mean as it was."""

import pytest
import torch

from transformer.dropout import Dropout, apply_dropout


@pytest.mark.parametrize("p", [0.1, 0.75])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_share_p_is_zero_and_the_others_grow_by_one_over_one_minus_p(p, dtype):
    x = torch.randn(400, 300).to(dtype)

    y = apply_dropout(x, p)

    kept = y != 0
    assert y.dtype == dtype
    assert abs(kept.float().mean() - (1 - p)) < 5 * (p * (1 - p) / x.numel()) ** 0.5
    torch.testing.assert_close(y[kept], x[kept] / (1 - round(p * 2**16) / 2**16))


@pytest.mark.parametrize("p", [1e-5, 0.3, 1 - 1e-5, 1 - 1e-6])
def test_the_mean_stays_what_it_was_although_p_is_rounded(p):
    y = apply_dropout(torch.ones(3000, 3001), p)

    assert abs(y.double().mean() - 1) < 6 * (p / (1 - p) / y.numel()) ** 0.5


def test_places_are_dropped_one_by_one():
    kept = (apply_dropout(torch.ones(300, 400), 0.3) != 0).float() - 0.7

    neighbours = [kept[:, gap:] * kept[:, :-gap] for gap in (1, 2, 3, 4)]  # some share a draw, some do not
    for together in (kept[1:] * kept[:-1], *neighbours):
        assert abs(together.mean()) < 5 * 0.21 / together.numel() ** 0.5


def test_what_was_dropped_gets_no_gradient():
    x = torch.randn(20, 30, requires_grad=True)

    y = apply_dropout(x, 0.4)
    y.sum().backward()

    torch.testing.assert_close(x.grad, (y != 0) / 0.6, rtol=1e-4, atol=0)


def test_a_seed_repeats_it():
    x = torch.randn(20, 30)
    torch.manual_seed(5)
    first = apply_dropout(x, 0.4)
    second = apply_dropout(x, 0.4)
    torch.manual_seed(5)

    assert not torch.equal(first, second)
    assert torch.equal(first, apply_dropout(x, 0.4))


def test_nothing_is_dropped_in_evaluation_nor_at_zero():
    x = torch.randn(20, 30)

    assert Dropout(0.4).eval()(x) is x
    assert Dropout(0.0).train()(x) is x


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, float("nan")])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match=rf"probability in \[0, 1\), not {p}"):
        apply_dropout(torch.ones(2), p)
