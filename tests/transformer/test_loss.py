"""The loss: the reference, torch's, and tokens that take no part."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.reference.loss import label_smoothed_cross_entropy as reference
from tests.transformer.small import random
from transformer import label_smoothed_cross_entropy
from transformer.learning.loss import check_finite

TARGET = torch.tensor([[4, 7, 3, 2], [5, 2, 0, 0], [6, 0, 0, 0]])
VOCAB = 9


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("never", [(), (8,), (1, 8), (0, 8)])
def test_the_loss_is_the_reference(smoothing, never):
    logits = 3 * random(3, 4, VOCAB)

    loss = label_smoothed_cross_entropy(logits, TARGET, smoothing, never=never)

    np.testing.assert_allclose(loss, reference(logits.numpy(), TARGET.numpy(), smoothing, never=never), rtol=1e-13)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_excluded_tokens_loss_and_gradient_are_those_of_torch(smoothing):
    logits = random(3, 4, VOCAB).requires_grad_()

    ours = label_smoothed_cross_entropy(logits, TARGET, smoothing)
    theirs = F.cross_entropy(logits.flatten(0, 1), TARGET.flatten(), ignore_index=0, label_smoothing=smoothing)

    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(*(torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs)))


def test_padding_takes_no_part_whatever_stands_there():
    logits = random(3, 4, VOCAB).requires_grad_()
    loss = label_smoothed_cross_entropy(logits, TARGET, 0.1)
    loss.backward()
    wild = logits.detach().clone()
    wild[TARGET == 0] = 1e9

    assert torch.equal(label_smoothed_cross_entropy(wild, TARGET, 0.1), loss.detach())
    assert (logits.grad[TARGET == 0] == 0).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_what_never_occurs_gets_no_gradient_and_changes_no_loss(smoothing):
    logits = random(3, 4, VOCAB).requires_grad_()
    loss = label_smoothed_cross_entropy(logits, TARGET, smoothing, never=(1, 8))
    loss.backward()
    wild = logits.detach().clone()
    wild[..., [1, 8]] = 1e9

    assert (logits.grad[..., [1, 8]] == 0).all()
    assert (logits.grad[TARGET != 0][:, [2, 3, 4, 5, 6, 7]] != 0).all()
    assert torch.equal(label_smoothed_cross_entropy(wild, TARGET, smoothing, never=(1, 8)), loss.detach())


def test_the_order_and_the_repetition_of_excluded_tokens_do_not_matter():
    logits = random(3, 4, VOCAB)

    once, twice = (label_smoothed_cross_entropy(logits, TARGET, 0.1, never=never) for never in ((1, 8), (8, 1, 8)))

    assert torch.equal(once, twice)


def test_the_least_loss_is_the_entropy_of_the_smoothed_target():
    smoothing, allowed = 0.1, VOCAB - 2
    wanted = torch.full((VOCAB,), smoothing / allowed, dtype=torch.float64)
    wanted[5] += 1 - smoothing
    logits = wanted.log()[None, None]

    loss = label_smoothed_cross_entropy(logits, torch.tensor([[5]]), smoothing, never=(1, 8))

    real = wanted[[0, 2, 3, 4, 5, 6, 7]]
    torch.testing.assert_close(loss, -(real * real.log()).sum())


def test_the_sum_is_the_mean_times_the_number_of_real_tokens():
    logits = random(3, 4, VOCAB)
    mean, total = (label_smoothed_cross_entropy(logits, TARGET, 0.1, reduction=r) for r in ("mean", "sum"))

    torch.testing.assert_close(total, 7 * mean)


def test_logits_of_bf16_are_summed_in_single_precision():
    logits = random(3, 4, VOCAB).bfloat16()

    assert torch.equal(
        label_smoothed_cross_entropy(logits, TARGET), label_smoothed_cross_entropy(logits.float(), TARGET)
    )


def test_extreme_logits_give_a_finite_loss():
    logits = torch.tensor([[[1e4, -1e4, 0.0, 1e4]]])

    assert label_smoothed_cross_entropy(logits, torch.tensor([[1]]), 0.1).isfinite()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"smoothing": 1.0}, r"in \[0, 1\), not 1.0"),
        ({"smoothing": -0.1}, r"in \[0, 1\), not -0.1"),
        ({"reduction": "max"}, "'mean' or 'sum', not 'max'"),
        ({"target": torch.zeros(3, 4, dtype=torch.long)}, r"nothing but padding \(pad_id 0\)"),
        ({"never": (7, 8)}, r"the target holds \[7\], which are said never to occur"),
        ({"never": (9,)}, "never holds ids from 9 to 9; the vocabulary is 0..8"),
        ({"never": (-1, 3)}, "never holds ids from -1 to 3"),
        ({"target": TARGET + 2}, "target holds ids from 2 to 9; the vocabulary is 0..8"),
    ],
)
def test_impossible_settings_are_refused_with_their_numbers(changes, message):
    arguments = {"logits": random(3, 4, VOCAB), "target": TARGET, **changes}

    with pytest.raises(ValueError, match=message):
        label_smoothed_cross_entropy(**arguments)


@pytest.mark.parametrize(("loss", "norm"), [(float("nan"), 1.0), (2.0, float("nan")), (2.0, float("inf"))])
def test_a_loss_or_a_norm_that_is_not_finite_stops_the_training_at_its_step(loss, norm):
    check_finite(7, torch.tensor(2.0), torch.tensor(1.0))
    with pytest.raises(ValueError, match=f"step 7: the loss is {loss} and the norm of its gradient {norm}"):
        check_finite(7, torch.tensor(loss), torch.tensor(norm))


def test_a_target_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"logits \(2, 3, 9\) and target \(3, 2\) do not belong together"):
        label_smoothed_cross_entropy.__wrapped__(torch.zeros(2, 3, 9), torch.ones(3, 2, dtype=torch.long))
