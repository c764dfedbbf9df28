"""LayerNorm and the residual connection, in both orders."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.reference.layer_norm import layer_norm
from tests.transformer import small
from tests.transformer.small import random, shaken
from transformer import AddNorm, LayerNorm, RMSNorm

BATCH, TIME, D_MODEL = 2, 3, 5


def test_layer_norm_is_the_reference():
    norm = shaken(LayerNorm(D_MODEL, eps=0.02))
    x = random(BATCH, TIME, D_MODEL)

    output = norm(x).detach()

    for row in range(BATCH):
        wanted = layer_norm(x[row].numpy(), norm.weight.detach().numpy(), norm.bias.detach().numpy(), eps=0.02)
        np.testing.assert_allclose(output[row], wanted, atol=1e-13)


@pytest.mark.parametrize("d_model", [1, 2, 4, 8, 64])
def test_outputs_and_gradients_are_those_of_torch(d_model):
    ours = shaken(LayerNorm(d_model))
    theirs = nn.LayerNorm(d_model).double()
    theirs.load_state_dict(ours.state_dict())
    x, y = (z.requires_grad_() for z in [random(BATCH, TIME, d_model)] * 2)

    torch.testing.assert_close(ours(x), theirs(y))
    small.assert_equal(small.gradients(ours, ours(x)), small.gradients(theirs, theirs(y)))
    combination = random(BATCH, TIME, d_model)
    (our,), (their,) = (torch.autograd.grad(norm(z), z, combination) for norm, z in ((ours, x), (theirs, y)))
    torch.testing.assert_close(our, their)


def test_a_vector_of_equal_numbers_becomes_the_bias():
    norm = shaken(LayerNorm(D_MODEL))

    assert torch.equal(norm(torch.full((1, D_MODEL), 7.0, dtype=torch.float64))[0], norm.bias)


def test_large_offsets_do_not_drown_the_variance():
    x = random(TIME, D_MODEL).float() + 1e3

    torch.testing.assert_close(LayerNorm(D_MODEL)(x), nn.LayerNorm(D_MODEL)(x), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("norm", [LayerNorm, RMSNorm])
@pytest.mark.parametrize(("d_model", "eps"), [(0, 1e-5), (4, 0.0), (4, -1.0)])
def test_impossible_sizes_are_refused(norm, d_model, eps):
    with pytest.raises(ValueError, match=f"{norm.__name__} needs .*, not d_model {d_model} and eps {eps}"):
        norm(d_model, eps)


@pytest.mark.parametrize("norm", [LayerNorm, RMSNorm])
def test_a_single_number_can_be_normed(norm):
    assert norm(1)(torch.tensor([[3.0]])).shape == (1, 1)


def test_the_usual_epsilons():
    assert (LayerNorm(3).eps, RMSNorm(3).eps) == (1e-5, 1e-5)


def test_post_norm_normalizes_the_sum():
    module, x = shaken(AddNorm(D_MODEL, norm="post")), random(BATCH, TIME, D_MODEL)

    torch.testing.assert_close(module(x, torch.sin), module.norm(x + torch.sin(x)))


def test_pre_norm_normalizes_what_the_sublayer_reads_and_leaves_the_residual_alone():
    module, x = shaken(AddNorm(D_MODEL, norm="pre")), random(BATCH, TIME, D_MODEL)

    torch.testing.assert_close(module(x, torch.sin), x + torch.sin(module.norm(x)))
    assert torch.equal(module(x, torch.zeros_like), x)


@pytest.mark.parametrize("order", ["post", "pre"])
def test_dropout_is_on_the_branch_and_never_on_the_residual(order):
    module, x = AddNorm(D_MODEL, dropout=0.4, norm=order), torch.randn(50, 40, D_MODEL)
    module.norm = nn.Identity()

    branch = module(x, torch.ones_like) - x

    kept = branch.abs() > 0.5
    torch.testing.assert_close(branch, kept / 0.6, atol=1e-4, rtol=0.0)
    assert abs(kept.float().mean() - 0.6) < 0.02
    module.eval()
    torch.testing.assert_close(module(x, torch.ones_like), x + 1.0)
