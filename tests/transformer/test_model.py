"""The whole model: the reference, and the properties that every model keeps."""

import copy
import io
import math
import pickle

import numpy as np
import pytest
import torch

from tests.reference import encoder_decoder as reference
from tests.transformer import small
from tests.transformer.small import SOURCE, TARGET
from transformer import Transformer, record_attention

KINDS = pytest.mark.parametrize(
    "changes",
    [
        {},
        {"norm": "pre"},
        {"norm": "pre", "positions": "learned", "tie_embeddings": False, "attention": "fused"},
        {"scale_embeddings": False, "activation": "gelu", "num_encoder_layers": 0},
    ],
    ids=["paper", "pre", "untied", "flat"],
)


@pytest.mark.parametrize("order", ["post", "pre"])
@pytest.mark.parametrize("tie", [True, False])
def test_logits_are_the_reference(order, tie):
    model = small.model(norm=order, tie_embeddings=tie)

    logits = model(SOURCE, TARGET).detach()

    for row in range(len(SOURCE)):
        source, target = SOURCE[row].tolist(), TARGET[row].tolist()
        wanted = reference.transformer(source, target, small.arrays(model), 3, order)
        np.testing.assert_allclose(logits[row], wanted, atol=1e-11)


@KINDS
def test_no_position_sees_a_later_token(changes):
    model = small.model(**changes)
    changed = TARGET.clone()
    changed[:, 4] = 16

    before, after = model(SOURCE, TARGET), model(SOURCE, changed)

    assert torch.equal(before[:, :4], after[:, :4])
    assert ((before[:, 4:] - after[:, 4:]).abs().amax(dim=-1) > 1e-4).all()


@KINDS
def test_every_position_reads_the_whole_source(changes):
    model = small.model(**changes)
    for place in range(4):
        changed = SOURCE.clone()
        changed[0, place] = 16
        assert ((model(SOURCE, TARGET)[0] - model(changed, TARGET)[0]).abs().amax(dim=-1) > 1e-6).all()


@KINDS
def test_padding_the_source_changes_nothing(changes):
    model = small.model(**changes)
    longer = torch.nn.functional.pad(SOURCE, (0, 4))

    torch.testing.assert_close(model(longer, TARGET), model(SOURCE, TARGET))


@KINDS
def test_padding_the_target_changes_nothing_before_it(changes):
    model = small.model(**changes)
    longer = torch.nn.functional.pad(TARGET, (0, 3))

    torch.testing.assert_close(model(SOURCE, longer)[:, :7], model(SOURCE, TARGET))


@KINDS
def test_a_row_of_a_batch_does_not_depend_on_the_others(changes):
    model = small.model(**changes)
    together = model(SOURCE, TARGET)

    for row, length in enumerate((5, 3, 2)):
        alone = model(SOURCE[row : row + 1, :length], TARGET[row : row + 1])
        torch.testing.assert_close(together[row], alone[0])


def test_sources_that_begin_at_0_are_read_to_the_bit_as_without_a_start():
    model = small.model()

    assert torch.equal(model(SOURCE, TARGET, torch.zeros(3, 1, dtype=torch.long)), model(SOURCE, TARGET))


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_a_row_that_begins_further_back_has_the_positions_from_there(positions):
    model = small.model(positions=positions)
    starts = torch.tensor([[0], [11], [4]])
    x = small.random(3, 5, 12)

    placed = model.place_source(x, starts)

    for row, start in enumerate(starts.flatten().tolist()):
        torch.testing.assert_close(placed[row], x[row] + model.source_positions(5, start), atol=0.0, rtol=0.0)
    with pytest.raises(ValueError, match="the source has 17 positions; max_length is 16"):
        model.encode(SOURCE, starts + 1)


def test_a_source_of_nothing_but_padding_gives_finite_logits_and_gradients():
    model = small.model()
    empty = torch.zeros_like(SOURCE)

    logits = model(empty, TARGET)

    assert logits.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in small.gradients(model, logits).values())


@KINDS
def test_states_are_what_the_output_projection_reads(changes):
    model = small.model(**changes)

    states = model.states(SOURCE, TARGET)

    assert states.shape == (3, 7, 12)
    assert torch.equal(model.output(states), model(SOURCE, TARGET))


def test_a_response_is_read_behind_bos():
    model = small.model()

    source, target = model.with_response(SOURCE, TARGET[:, 1:])

    assert torch.equal(source, SOURCE)
    assert torch.equal(target, TARGET)
    assert torch.equal(model.start(SOURCE), TARGET[:, :1])


@pytest.mark.parametrize("order", ["post", "pre"])
def test_checkpointed_gradients_are_the_gradients_dropout_included(order):
    model = small.model(norm=order, dropout=0.3).train()
    outcomes = []
    for enabled in (False, True):
        model.gradient_checkpointing(enabled)
        with small.one_seed():
            logits = model(SOURCE, TARGET)
            outcomes.append((logits, small.gradients(model, logits)))

    (plain, gradients), (checkpointed, checkpointed_gradients) = outcomes

    assert torch.equal(plain, checkpointed)
    small.assert_equal(gradients, checkpointed_gradients, atol=0.0, rtol=1e-12)


def test_checkpointing_keeps_less_for_the_backward_pass():
    model = small.model(num_encoder_layers=3).train()
    saved = []
    for prepare in (lambda: None, model.gradient_checkpointing):  # a new model keeps all
        prepare()
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, kept=kept: kept.append(x) or x, lambda x: x):
            model(SOURCE, TARGET)
        saved.append(sum(tensor.numel() for tensor in kept))

    assert saved[1] < saved[0] / 3


def test_dropout_is_in_training_only():
    model = small.model(dropout=0.3)
    assert torch.equal(model(SOURCE, TARGET), model(SOURCE, TARGET))
    model.train()
    assert not torch.equal(model(SOURCE, TARGET), model(SOURCE, TARGET))


def test_recording_attention_names_every_attention_and_leaves_the_logits_alone():
    model = small.model()
    before = model(SOURCE, TARGET)

    with record_attention(model) as maps:
        during = model(SOURCE, TARGET)

    assert torch.equal(during, before)
    assert {name: weights[0].shape for name, weights in maps.items()} == {
        "encoder.layers.0.self_attention": (3, 3, 5, 5),
        "decoder.layers.0.self_attention": (3, 3, 7, 7),
        "decoder.layers.0.cross_attention": (3, 3, 7, 5),
        "decoder.layers.1.self_attention": (3, 3, 7, 7),
        "decoder.layers.1.cross_attention": (3, 3, 7, 5),
    }
    for weights in maps.values():
        torch.testing.assert_close(weights[0].sum(dim=-1), torch.ones(weights[0].shape[:-1]).double())
    assert (maps["decoder.layers.0.cross_attention"][0][1, :, :, 3:] == 0).all()


def test_one_matrix_is_source_embedding_target_embedding_and_output():
    model = small.model()

    assert model.source_embedding.weight is model.target_embedding.weight is model.output.weight
    assert model.output.bias is None
    assert sum("embedding" in name or "output" in name for name, _ in model.named_parameters()) == 1


def test_untied_the_three_matrices_are_separate_and_the_output_has_a_bias():
    model = small.model(tie_embeddings=False)
    matrices = [model.source_embedding.weight, model.target_embedding.weight, model.output.weight]

    assert len({id(matrix) for matrix in matrices}) == 3
    assert model.output.bias.shape == (17,)


def test_untying_changes_no_logit_and_separates_the_matrices():
    model = small.model()
    before = model(SOURCE, TARGET)

    model.untie_weights()

    assert torch.equal(model(SOURCE, TARGET), before)
    assert not model.config.tie_embeddings
    with torch.no_grad():
        model.source_embedding.weight.zero_()
    assert model.output.weight.abs().sum() > 0
    Transformer(model.config).load_state_dict(model.state_dict())


MODULES = """
source_embedding target_embedding output
encoder.layers.0.self_attention encoder.layers.0.self_attention_norm
encoder.layers.0.feed_forward encoder.layers.0.feed_forward_norm
encoder.layers.0.self_attention.attend encoder.layers.0.self_attention.q_proj encoder.layers.0.self_attention.k_proj
encoder.layers.0.self_attention.v_proj encoder.layers.0.self_attention.out_proj
encoder.layers.0.feed_forward.fc1 encoder.layers.0.feed_forward.fc2 encoder.layers.0.self_attention_norm.norm
decoder.layers.1.self_attention decoder.layers.1.self_attention_norm
decoder.layers.1.cross_attention decoder.layers.1.cross_attention_norm
decoder.layers.1.feed_forward decoder.layers.1.feed_forward_norm
decoder.layers.1.cross_attention.attend decoder.layers.1.cross_attention.out_proj decoder.layers.1.feed_forward.fc2
""".split()


def test_module_paths_are_those_that_adapters_name():
    assert set(MODULES) <= {name for name, _ in small.model().named_modules()}


@pytest.mark.parametrize("order", ["post", "pre"])
def test_a_norm_stands_after_the_stack_in_pre_norm_only(order):
    names = small.model(norm=order).state_dict().keys()

    assert ({"encoder.norm.weight", "decoder.norm.bias"} <= names) == (order == "pre")


def test_the_number_of_parameters_is_the_sum_of_the_formulas():
    d, ff, vocab = 12, 20, 17
    encoder_layer = 4 * (d * d + d) + (2 * d * ff + ff + d) + 4 * d
    decoder_layer = 8 * (d * d + d) + (2 * d * ff + ff + d) + 6 * d

    count = sum(parameter.numel() for parameter in small.model(norm="pre").parameters())

    assert count == vocab * d + encoder_layer + 2 * decoder_layer + 2 * (2 * d)


@KINDS
def test_a_copy_and_a_pickle_give_the_same_logits_and_stay_tied(changes):
    model = small.model(**changes)
    file = io.BytesIO(pickle.dumps(model))

    for other in (copy.deepcopy(model), pickle.load(file)):
        assert torch.equal(other(SOURCE, TARGET), model(SOURCE, TARGET))
        assert (other.output.weight is other.source_embedding.weight) == model.config.tie_embeddings
        assert other.output.weight is not model.output.weight


def test_double_precision_is_not_single_precision_in_disguise():
    model = Transformer(small.config()).eval()
    single = model(SOURCE, TARGET)
    wanted = reference.transformer(
        SOURCE[0].tolist(), TARGET[0].tolist(), small.arrays(model.double()), num_heads=3, order="post"
    )

    assert single.dtype == torch.float32
    np.testing.assert_allclose(model(SOURCE, TARGET)[0].detach(), wanted, atol=1e-13)


@KINDS
def test_bf16_autocast_stays_near_full_precision_and_gives_finite_gradients(changes):
    model = Transformer(small.config(**changes))

    with torch.autocast("cpu", torch.bfloat16):
        logits = model(SOURCE, TARGET)

    assert (logits.float() - model(SOURCE, TARGET)).abs().max() < 0.1
    gradients = small.gradients(model, logits.float())
    assert all(gradient.isfinite().all() and gradient.dtype == torch.float32 for gradient in gradients.values())


def test_a_model_of_bf16_weights_runs():
    model = Transformer(small.config(dropout=0.2)).bfloat16()

    assert model(SOURCE, TARGET).dtype == torch.bfloat16


def test_ids_of_another_integer_type_are_read_alike():
    model = small.model()

    assert torch.equal(model(SOURCE.int(), TARGET.int()), model(SOURCE, TARGET))


def test_a_target_beyond_the_last_position_is_refused_with_a_cache_too():
    model = small.model()
    memory, mask = model.encode(SOURCE)
    cache = model.new_cache(40)
    model.decode(TARGET.repeat(1, 2), memory, mask, cache)

    with pytest.raises(ValueError, match=r"17.*16|max_length is 16"):
        model.decode(TARGET[:, :3], memory, mask, cache)


def test_a_response_keeps_its_type():
    _, target = small.model().with_response(SOURCE, TARGET.int())

    assert target.dtype == torch.int32
    assert target[:, 0].tolist() == [1, 1, 1]


def test_ids_of_a_source_that_cannot_be_read_are_refused_where_it_is_encoded():
    with pytest.raises(ValueError, match="17"):
        small.model().encode(torch.tensor([[5, 17]]))


def test_a_new_model_has_glorot_s_matrices_and_no_bias():
    torch.manual_seed(0)
    model = Transformer(small.config(d_model=48, d_ff=80))

    linears = [
        module for module in model.modules() if isinstance(module, torch.nn.Linear) and module is not model.output
    ]
    assert len(linears) == 3 * 2 + 4 * 5
    for linear in linears:
        bound = math.sqrt(6 / (linear.in_features + linear.out_features))
        assert 0.98 * bound < linear.weight.abs().max() <= bound
        assert linear.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
        assert not linear.bias.any()
