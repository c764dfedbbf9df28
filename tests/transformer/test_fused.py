"""The faster twins: each gives the numbers and the gradients of the clear part, and a model has them where it asks for them."""

from functools import partial

import pytest
import torch

from tests.transformer import small
from tests.transformer.small import SOURCE, TARGET, random, shaken
from transformer import EncoderOnly, LayerNorm, MaskedWordHead, RMSNorm, Transformer, causal_mask, padding_mask
from transformer import fused as fused_twins
from transformer.attention import Attend, scaled_dot_product_attention
from transformer.dropout import Dropout, apply_dropout
from transformer.fused import (
    SHORT,
    FastDropout,
    FusedAttend,
    FusedLayerNorm,
    FusedRMSNorm,
    fast_dropout,
    formula_is_faster,
    fused_attention,
    unless_all_true,
)
from transformer.root_mean_square import closed_form_is_faster, root_mean_square

BATCH, HEADS, QUERY, KEY, D_HEAD, D_MODEL = 2, 3, 4, 5, 6, 7
MASKS = {
    "none": None,
    "some": torch.tensor([[1, 0, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 1, 0, 1], [0, 0, 0, 0, 0]], dtype=torch.bool),
    "padding": (torch.arange(KEY) < torch.tensor([[KEY], [2]]))[:, None, None],
    "causal": causal_mask(QUERY, past=KEY - QUERY),
    "all true": torch.ones(BATCH, 1, 1, KEY, dtype=torch.bool),
}


def heads(*lengths: int) -> list[torch.Tensor]:
    return [random(BATCH, HEADS, length, D_HEAD).requires_grad_() for length in lengths]


def kernel(query, key, value, mask):
    return fused_attention(query, key, value, mask)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("fused", [kernel, FusedAttend()], ids=["the kernel", "the module"])
def test_fused_attention_gives_the_numbers_and_the_gradients_of_the_formula(fused, mask):
    inputs = heads(QUERY, KEY, KEY)

    outputs = [attend(*inputs, MASKS[mask]) for attend in (fused, Attend())]

    torch.testing.assert_close(*outputs)
    weights = random(*outputs[0].shape)
    for ours, theirs in zip(*(torch.autograd.grad(output, inputs, weights) for output in outputs)):
        torch.testing.assert_close(ours, theirs)


def test_the_kernel_gets_the_dropout_and_a_query_that_may_attend_to_nothing_gets_0(monkeypatch):
    """Whatever the kernel says of it: here 1."""
    asked = []

    def kernel(query, key, value, attn_mask, dropout_p):
        asked.append(dropout_p)
        return torch.ones_like(query)

    monkeypatch.setattr("transformer.fused.F.scaled_dot_product_attention", kernel)
    x = torch.zeros(1, 1, 2, 3)

    heard = fused_attention(x, x, x, torch.tensor([[[[True, True], [False, False]]]]), dropout=0.3)

    assert asked == [0.3]
    assert heard[0, 0].tolist() == [[1.0] * 3, [0.0] * 3]


@pytest.mark.parametrize("core", [fused_attention, FusedAttend()], ids=["the kernel", "the module"])
def test_without_gradients_too(core):
    inputs, mask = heads(QUERY, KEY, KEY), MASKS["some"]

    with torch.no_grad():
        torch.testing.assert_close(core(*inputs, mask), Attend()(*inputs, mask))


def test_short_sequences_take_the_formula_while_gradients_are_needed_and_give_its_bits():
    query, key, value = heads(QUERY, KEY, KEY)
    with_padding = padding_mask(torch.tensor([[4, 7, 9, 0, 0], [4, 4, 4, 4, 4]]), pad_id=0)

    assert formula_is_faster(query, key, value)
    assert torch.equal(
        FusedAttend()(query, key, value, with_padding),
        scaled_dot_product_attention(query, key, value, with_padding)[0],
    )


def test_the_kernel_runs_where_it_pays():
    short, long = heads(SHORT - 1, SHORT)
    frozen = short.detach()

    assert formula_is_faster(short, short, short)
    assert formula_is_faster(frozen, frozen, short)
    assert not formula_is_faster(frozen, frozen, frozen)
    assert not formula_is_faster(long, short, short)
    assert not formula_is_faster(short, long, long)
    assert not formula_is_faster(*(x.to("meta") for x in (short, short, short)))
    with torch.no_grad():
        assert not formula_is_faster(short, short, short)


def test_a_mask_of_nothing_but_trues_is_left_out_on_a_cpu():
    some = padding_mask(torch.tensor([[4, 7], [4, 3]]), pad_id=3)

    assert unless_all_true(some) is some
    assert unless_all_true(padding_mask(torch.tensor([[4, 7], [4, 9]]), pad_id=3)) is None
    assert unless_all_true(None) is None
    on_meta = torch.ones(1, 1, 1, 2, dtype=torch.bool, device="meta")
    assert unless_all_true(on_meta) is on_meta


def test_leaving_it_out_changes_no_bit():
    query, key, value = heads(QUERY, KEY, KEY)

    with_mask, without = (scaled_dot_product_attention(query, key, value, mask) for mask in (MASKS["all true"], None))

    assert torch.equal(with_mask[0], without[0])


@pytest.mark.parametrize("norm", [LayerNorm, RMSNorm])
@pytest.mark.parametrize("shape", [(BATCH, QUERY, D_MODEL), (1, D_MODEL), (D_MODEL,)])
@pytest.mark.parametrize("frozen", [False, True], ids=["the gain learns", "the gain is frozen"])
def test_a_fused_norm_gives_the_numbers_and_the_gradients_of_the_formula(norm, shape, frozen):
    by_hand = shaken(norm(D_MODEL, eps=0.02))
    fused = {LayerNorm: FusedLayerNorm, RMSNorm: FusedRMSNorm}[norm](D_MODEL, eps=0.02).double()
    fused.load_state_dict(by_hand.state_dict())
    for module in (by_hand, fused):
        module.requires_grad_(not frozen)
    x, weights = random(*shape).requires_grad_(), random(*shape)

    torch.testing.assert_close(fused(x), by_hand(x))
    for ours, theirs in zip(*(gradients_of(module, x, weights) for module in (fused, by_hand)), strict=True):
        torch.testing.assert_close(ours, theirs)


def gradients_of(module, x, weights):
    asked = [x, *(parameter for parameter in module.parameters() if parameter.requires_grad)]
    return torch.autograd.grad(module(x), asked, weights)


def test_the_closed_form_can_be_differentiated_twice():
    x, gain = random(3, D_MODEL).requires_grad_(), random(D_MODEL).requires_grad_()
    of_both = partial(root_mean_square, eps=0.02)

    assert torch.autograd.gradcheck(of_both, (x, gain))
    assert torch.autograd.gradgradcheck(of_both, (x, gain))


def test_a_vector_of_zeros_has_a_gradient():
    x = torch.zeros(2, D_MODEL, dtype=torch.float64, requires_grad=True)

    (gradient,) = torch.autograd.grad(
        root_mean_square(x, torch.ones(D_MODEL, dtype=torch.float64), 0.04), x, random(2, D_MODEL)
    )

    assert gradient.isfinite().all()
    assert gradient.abs().max() > 1  # 1 / √ε = 5 times what came


def test_where_torch_s_own_norm_stays():
    x, gain = torch.ones(2, D_MODEL), torch.ones(D_MODEL)

    assert closed_form_is_faster(x, gain)
    assert closed_form_is_faster(x.double(), gain.double())
    for kind in (torch.float16, torch.bfloat16):
        assert not closed_form_is_faster(x.to(kind), gain.to(kind))
    assert not closed_form_is_faster(x, gain.double())
    assert not closed_form_is_faster(x.to("meta"), gain.to("meta"))


@pytest.mark.parametrize("pays", [True, False])
def test_the_norm_asks_which_one_pays(pays, monkeypatch):
    monkeypatch.setattr(fused_twins, "closed_form_is_faster", lambda x, gain: pays)
    monkeypatch.setattr(fused_twins, "root_mean_square", lambda x, gain, eps: x + eps)
    x = random(2, D_MODEL)

    assert torch.equal(FusedRMSNorm(D_MODEL, eps=0.02).double()(x), x + 0.02) == pays


@pytest.mark.parametrize("p", [1e-5, 0.3, 1 - 1e-5, 1 - 1e-6])
def test_the_mean_stays_what_it_was_although_p_is_rounded(p):
    y = fast_dropout(torch.ones(3000, 3001), p)

    assert abs(y.double().mean() - 1) < 6 * (p / (1 - p) / y.numel()) ** 0.5


def test_p_is_rounded_to_sixteen_bits():
    y = fast_dropout(torch.ones(500, 500, dtype=torch.float64), 0.3)

    scale = 1 / (1 - round(0.3 * 2**16) / 2**16)
    torch.testing.assert_close(y[y != 0], torch.full_like(y[y != 0], scale))
    assert abs(scale - 1 / 0.7) > 1e-7
    assert abs(float((y == 0).double().mean()) - 0.3) < 0.01


def test_of_the_choices_one_at_least_is_kept():
    y = fast_dropout(torch.ones(500, 500), 1 - 1e-6)

    assert set(y.unique().tolist()) == {0.0, 2.0**16}


def test_fast_dropout_says_what_the_formula_says_in_the_mean():
    x = torch.randn(30, dtype=torch.float64).abs().expand(40_000, 30)

    fast, clear = (dropout(x, 0.3).mean(dim=0) for dropout in (fast_dropout, apply_dropout))

    torch.testing.assert_close(fast, clear, rtol=7 * (2 * 0.3 / 0.7 / 40_000) ** 0.5, atol=0.0)


def test_places_that_share_a_draw_are_dropped_one_by_one():
    kept = (fast_dropout(torch.ones(300, 400), 0.3) != 0).float() - 0.7

    for gap in (1, 2, 3, 4):
        together = kept[:, gap:] * kept[:, :-gap]
        assert abs(together.mean()) < 5 * 0.21 / together.numel() ** 0.5


def test_a_model_that_asks_for_them_has_every_twin_and_the_same_numbers():
    by_hand, fused = small.model(norm="pre"), Transformer(small.config(norm="pre", attention="fused")).double().eval()
    fused.load_state_dict(by_hand.state_dict())

    kinds = [{type(module) for module in model.modules()} for model in (by_hand, fused)]

    assert kinds[0] >= {Attend, LayerNorm, Dropout}
    assert kinds[1] >= {FusedAttend, FusedLayerNorm, FastDropout}
    assert not kinds[1] & {Attend, LayerNorm, Dropout}
    ours, theirs = by_hand(SOURCE, TARGET), fused(SOURCE, TARGET)
    torch.testing.assert_close(ours, theirs)
    small.assert_equal(small.gradients(by_hand, ours), small.gradients(fused, theirs))


def test_both_begin_with_the_same_weights():
    with small.one_seed():
        clear = Transformer(small.config())
    with small.one_seed():
        fused = Transformer(small.config(attention="fused"))

    small.assert_equal(clear.state_dict(), fused.state_dict(), atol=0.0, rtol=0.0)


def test_a_head_is_a_part_of_its_model():
    config = small.config(num_decoder_layers=0, attention="fused", norm_embeddings=True)

    model = EncoderOnly(config, MaskedWordHead(config))

    assert type(model.output.norm) is type(model.source_norm) is FusedLayerNorm
