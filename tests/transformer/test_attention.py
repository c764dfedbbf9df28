"""Attention and multi-head attention: the formula, its masks, and the recording of weights."""

import copy

import numpy as np
import pytest
import torch
from einops import rearrange
from torch import nn

from tests.reference.attention import attention, multi_head_attention
from tests.transformer import small
from tests.transformer.small import random, shaken
from transformer import MultiHeadAttention, causal_mask, record_attention, scaled_dot_product_attention
from transformer.attention import Attend
from transformer.fused import FusedAttend

BATCH, HEADS, QUERY, KEY, D_HEAD, D_VALUE = 2, 3, 4, 5, 6, 7
D_MODEL = HEADS * D_HEAD


def some_mask() -> torch.Tensor:
    """Every query may attend to something, and no two rows are the same."""
    mask = torch.rand(BATCH, 1, QUERY, KEY) > 0.4
    mask[..., 0] = True
    return mask


@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_the_reference(masked):
    query, key, value = random(BATCH, QUERY, D_HEAD), random(BATCH, KEY, D_HEAD), random(BATCH, KEY, D_VALUE)
    mask = some_mask()[:, 0] if masked else None

    output, weights = scaled_dot_product_attention(query, key, value, mask)

    for row in range(BATCH):
        allowed = None if mask is None else mask[row].numpy()
        wanted, wanted_weights = attention(query[row].numpy(), key[row].numpy(), value[row].numpy(), allowed)
        np.testing.assert_allclose(output[row], wanted, atol=1e-13)
        np.testing.assert_allclose(weights[row], wanted_weights, atol=1e-13)


def test_true_in_a_mask_means_may_be_attended_to():
    query, key, value = random(1, QUERY, D_HEAD), random(1, KEY, D_HEAD), random(1, KEY, D_VALUE)
    only_key_3 = torch.arange(KEY) == 3

    output, weights = scaled_dot_product_attention(query, key, value, only_key_3)

    assert torch.equal(weights, only_key_3.double().expand(1, QUERY, KEY))
    torch.testing.assert_close(output, value[:, [3] * QUERY])


def test_scores_of_any_size_give_finite_weights_that_sum_to_one():
    query, key, value = 1e4 * random(1, QUERY, D_HEAD), 1e4 * random(1, KEY, D_HEAD), random(1, KEY, D_VALUE)

    output, weights = scaled_dot_product_attention(query.float(), key.float(), value.float())

    assert output.isfinite().all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, QUERY))


def test_gradients_are_those_of_finite_differences():
    inputs = [
        random(1, 2, 3, 4).requires_grad_(),
        random(1, 2, 5, 4).requires_grad_(),
        random(1, 2, 5, 4).requires_grad_(),
    ]
    mask = torch.rand(1, 1, 3, 5) > 0.3

    assert torch.autograd.gradcheck(lambda *x: scaled_dot_product_attention(*x, mask)[0], inputs)


@pytest.mark.parametrize("core", [Attend, FusedAttend])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_query_that_may_attend_to_nothing_gets_exactly_zero_and_finite_gradients(core, dtype):
    query, key, value = (
        torch.randn(BATCH, HEADS, n, D_HEAD, dtype=dtype, requires_grad=True) for n in (QUERY, KEY, KEY)
    )
    mask = some_mask().clone()
    mask[0, :, 2] = False
    mask[1] = False

    output = core()(query, key, value, mask)
    output.sum().backward()

    assert (output[0, :, 2] == 0).all()
    assert (output[1] == 0).all()
    assert (output[0, :, :2] != 0).all()
    for x in (query, key, value):
        assert x.grad.isfinite().all()
        assert (x.grad[1] == 0).all()
    assert (query.grad[0, :, 2] == 0).all()


def test_multi_head_attention_is_the_reference():
    module = shaken(MultiHeadAttention(D_MODEL, HEADS))
    query, key, value = random(BATCH, QUERY, D_MODEL), random(BATCH, KEY, D_MODEL), random(BATCH, KEY, D_MODEL)
    mask = some_mask()

    output = module(query, key, value, mask).detach()

    for row in range(BATCH):
        inputs = (x[row].numpy() for x in (query, key, value))
        wanted = multi_head_attention(*inputs, small.arrays(module), HEADS, mask[row, 0].numpy())
        np.testing.assert_allclose(output[row], wanted, atol=1e-13)


def with_weights_of(ours: MultiHeadAttention) -> nn.MultiheadAttention:
    theirs = nn.MultiheadAttention(D_MODEL, HEADS, batch_first=True).double().eval()
    copy_attention(ours, theirs)
    return theirs


def copy_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    projections = (ours.q_proj, ours.k_proj, ours.v_proj)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([projection.weight for projection in projections]))
        theirs.in_proj_bias.copy_(torch.cat([projection.bias for projection in projections]))
        theirs.out_proj.load_state_dict(ours.out_proj.state_dict())


def test_outputs_weights_and_gradients_are_those_of_torch_whose_masks_have_the_other_polarity():
    ours = shaken(MultiHeadAttention(D_MODEL, HEADS))
    theirs = with_weights_of(ours)
    query, key, value = (random(BATCH, n, D_MODEL).requires_grad_() for n in (QUERY, KEY, KEY))
    mask = some_mask()

    with record_attention(ours) as maps:
        output = ours(query, key, value, mask)
    forbidden = (~mask).expand(BATCH, HEADS, QUERY, KEY).flatten(0, 1)
    wanted, weights = theirs(query, key, value, attn_mask=forbidden, average_attn_weights=False)

    torch.testing.assert_close(output, wanted)
    torch.testing.assert_close(maps["attend"][0], weights.detach())
    combination = random(*output.shape)
    for our, their in zip(*(torch.autograd.grad(y, (query, key, value), combination) for y in (output, wanted))):
        torch.testing.assert_close(our, their)


def test_heads_do_not_mix_before_the_output_projection():
    module = shaken(MultiHeadAttention(D_MODEL, HEADS))
    x = random(1, KEY, D_MODEL)
    changed = copy.deepcopy(module)
    with torch.no_grad():
        changed.v_proj.weight[D_HEAD : 2 * D_HEAD] += 1.0

    difference = heads_of(changed, x) - heads_of(module, x)

    assert (difference[:, [0, 2]] == 0).all()
    assert (difference[:, 1].abs() > 1e-3).any()


def heads_of(module: MultiHeadAttention, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    projections = (module.q_proj, module.k_proj, module.v_proj)
    return module.attend(*(module.split_heads(projection(x)) for projection in projections), mask)


def test_a_row_of_a_batch_does_not_depend_on_the_others():
    module = shaken(MultiHeadAttention(D_MODEL, HEADS))
    query, key, mask = random(BATCH, QUERY, D_MODEL), random(BATCH, KEY, D_MODEL), some_mask()

    together = module(query, key, key, mask)

    for row in range(BATCH):
        alone = module(query[[row]], key[[row]], key[[row]], mask[[row]])
        torch.testing.assert_close(together[[row]], alone)


def test_recording_gives_the_weights_of_every_call_and_leaves_the_output_alone():
    module = shaken(MultiHeadAttention(D_MODEL, HEADS))
    x, mask = random(BATCH, KEY, D_MODEL), causal_mask(KEY)
    before = module(x, x, x, mask)

    with record_attention(module) as maps:
        during = module(x, x, x, mask)
        module(x[:, :2], x, x)

    assert torch.equal(during, before)
    assert torch.equal(module(x, x, x, mask), before)
    first, second = maps["attend"]
    assert first.shape == (BATCH, HEADS, KEY, KEY)
    assert second.shape == (BATCH, HEADS, 2, KEY)
    torch.testing.assert_close(first, first.tril())
    values = rearrange(module.v_proj(x), "batch key (heads d_head) -> batch heads key d_head", heads=HEADS)
    torch.testing.assert_close(first @ values, heads_of(module, x, mask))
    assert not first.requires_grad


def test_an_attention_that_is_wrapped_is_recorded_under_its_own_name():
    class Wrapper(torch.nn.Module):
        def __init__(self, base):
            super().__init__()
            self.base = base

    layer = torch.nn.Module()
    layer.self_attention = Wrapper(Wrapper(MultiHeadAttention(D_MODEL, HEADS)))

    with record_attention(layer) as maps:
        pass

    assert list(maps) == ["self_attention"]


def test_a_fused_attention_is_recorded_by_the_formula_and_says_what_it_always_says():
    module, x = shaken(MultiHeadAttention(D_MODEL, HEADS)), random(BATCH, KEY, D_MODEL)
    with record_attention(module) as wanted, torch.no_grad():
        module(x, x, x, causal_mask(KEY))
    module.attend = FusedAttend()

    with record_attention(module) as maps, torch.no_grad():
        during = module(x, x, x, causal_mask(KEY))

        assert torch.equal(during, module(x, x, x, causal_mask(KEY)))
    assert torch.equal(maps["attend"][0], wanted["attend"][0])


def test_recording_ends_when_an_error_ends_the_block():
    module = MultiHeadAttention(D_MODEL, HEADS)

    with pytest.raises(KeyError), record_attention(module):
        raise KeyError

    assert not module.attend._forward_hooks


@pytest.mark.parametrize("core", [Attend, FusedAttend])
def test_weights_are_dropped_in_training_only(core):
    module = MultiHeadAttention(D_MODEL, HEADS)
    module.attend = core(dropout=0.5)
    x = torch.randn(BATCH, KEY, D_MODEL)

    assert not torch.equal(module(x, x, x), module(x, x, x))
    module.eval()
    assert torch.equal(module(x, x, x), module(x, x, x))


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (torch.ones(QUERY, KEY), TypeError, "boolean with True = may be attended to, not torch.float32"),
        (torch.ones(QUERY, KEY).long(), TypeError, "not torch.int64"),
        (torch.ones(KEY, QUERY).bool(), ValueError, rf"\({KEY}, {QUERY}\) does not broadcast.*= \(2, 3, 4, 5\)"),
        (torch.ones(BATCH, QUERY, KEY).bool(), ValueError, r"\(2, 4, 5\) does not broadcast"),
        (torch.ones(1, BATCH, 1, QUERY, KEY).bool(), ValueError, r"\(1, 2, 1, 4, 5\) does not broadcast"),
    ],
)
def test_a_mask_of_another_type_or_shape_is_refused(mask, error, message):
    module = MultiHeadAttention(D_MODEL, HEADS)

    with pytest.raises(error, match=message if error is ValueError else None):
        module(torch.randn(BATCH, QUERY, D_MODEL), *[torch.randn(BATCH, KEY, D_MODEL)] * 2, mask)


@pytest.mark.parametrize(("d_model", "heads"), [(10, 3), (10, 0), (10, -2)])
def test_heads_that_do_not_divide_the_features_are_refused(d_model, heads):
    with pytest.raises(ValueError, match=f"d_model 10 is not divisible by num_heads {heads}"):
        MultiHeadAttention(d_model, heads)


def test_a_dropout_that_is_no_probability_is_refused():
    with pytest.raises(ValueError, match=r"probability in \[0, 1\), not 1.0"):
        MultiHeadAttention(D_MODEL, HEADS, dropout=1.0)
