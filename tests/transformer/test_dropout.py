"""Dropout: zeros by chance, the others larger, the mean as it was; the formula and its faster twin."""

import pytest
import torch

from transformer.dropout import Dropout, apply_dropout
from transformer.fused import FastDropout, fast_dropout

BOTH = pytest.mark.parametrize("dropout", [apply_dropout, fast_dropout])
MODULES = pytest.mark.parametrize("module", [Dropout, FastDropout])


@BOTH
@pytest.mark.parametrize("p", [0.1, 0.75])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_share_p_is_zero_and_the_others_grow_by_one_over_one_minus_p(dropout, p, dtype):
    x = torch.randn(400, 300).to(dtype)

    y = dropout(x, p)

    kept, coarse = y != 0, 2**-8 if dtype == torch.bfloat16 and dropout is apply_dropout else 0.0
    assert y.dtype == dtype
    assert abs(kept.float().mean() - (1 - p)) < 5 * (p * (1 - p) / x.numel()) ** 0.5 + coarse
    torch.testing.assert_close(y[kept], x[kept] / (1 - p), rtol=2**-6 if dtype == torch.bfloat16 else 1e-4, atol=0)


@BOTH
def test_places_are_dropped_one_by_one(dropout):
    kept = (dropout(torch.ones(300, 400), 0.3) != 0).float() - 0.7

    for together in (kept[1:] * kept[:-1], kept[:, 1:] * kept[:, :-1]):
        assert abs(together.mean()) < 5 * 0.21 / together.numel() ** 0.5


@BOTH
def test_what_was_dropped_gets_no_gradient(dropout):
    x = torch.randn(20, 30, requires_grad=True)

    y = dropout(x, 0.4)
    y.sum().backward()

    torch.testing.assert_close(x.grad, (y != 0) / 0.6, rtol=1e-4, atol=0)


@BOTH
def test_a_seed_repeats_it(dropout):
    x = torch.randn(20, 30)
    torch.manual_seed(5)
    first = dropout(x, 0.4)
    second = dropout(x, 0.4)
    torch.manual_seed(5)

    assert not torch.equal(first, second)
    assert torch.equal(first, dropout(x, 0.4))


@MODULES
def test_nothing_is_dropped_in_evaluation_nor_at_zero(module):
    x = torch.randn(20, 30)

    assert module(0.4).eval()(x) is x
    assert module(0.0).train()(x) is x


@MODULES
def test_in_training_the_module_is_the_formula(module):
    y = module(0.4).train()(torch.ones(100, 100))

    assert abs((y == 0).float().mean() - 0.4) < 5 * 0.24**0.5 / 100


@BOTH
@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, float("nan")])
def test_what_is_no_probability_is_refused(dropout, p):
    with pytest.raises(ValueError, match=rf"probability in \[0, 1\), not {p}"):
        dropout(torch.ones(2), p)


def test_a_random_number_equal_to_p_keeps_its_place(monkeypatch):
    monkeypatch.setattr(torch, "rand_like", lambda x: torch.tensor([0.0, 0.25, 0.5, 0.75]))

    assert apply_dropout(torch.ones(4), 0.5).tolist() == [0.0, 0.0, 2.0, 2.0]
