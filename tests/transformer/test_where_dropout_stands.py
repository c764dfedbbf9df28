"""Where dropout stands: with one seed, a model in training gives the numbers of its figure, drawn in the same order."""

import pytest
import torch
from torch import Tensor

from tests.transformer import small
from tests.transformer.zoo import ZOO
from transformer import MultiHeadAttention, Transformer, causal_mask, padding_mask, scaled_dot_product_attention
from transformer.dropout import apply_dropout

P = 0.4


def kept(x: Tensor) -> Tensor:
    """The formula's mask: drawn for this tensor, from the numbers that come next."""
    return (torch.rand_like(x) >= P) / (1 - P)


def test_weights_are_dropped_for_the_mean_and_returned_as_they_were():
    query, key, value = small.random(2, 5, 4), small.random(2, 6, 4), small.random(2, 6, 3)
    plain_output, plain = scaled_dot_product_attention(query, key, value)

    with small.one_seed():
        output, weights = scaled_dot_product_attention(query, key, value, dropout=P)
    with small.one_seed():
        expected = (plain * kept(plain)) @ value

    assert torch.equal(weights, plain)
    torch.testing.assert_close(output, expected)
    assert not torch.allclose(output, plain_output)


@pytest.mark.parametrize("training", [True, False])
def test_an_attention_drops_weights_in_training_only(training: bool):
    module = MultiHeadAttention(12, 3, dropout=P).double().train(training)
    x = small.random(2, 5, 12)
    heads = [module.split_heads(projection(x)) for projection in (module.q_proj, module.k_proj, module.v_proj)]

    with small.one_seed():
        output = module(x, x, x)
    with small.one_seed():
        mean, _ = scaled_dot_product_attention(*heads, dropout=P if training else 0.0)

    torch.testing.assert_close(output, module.out_proj(mean.transpose(1, 2).flatten(2)))


def figure(model: Transformer, source: Tensor, target: Tensor) -> Tensor:
    """The logits, box by box, with dropout on the placed embeddings and on what every sub-layer says."""

    def placed(ids: Tensor, embedding: torch.nn.Module, positions: torch.nn.Module, norm: torch.nn.Module) -> Tensor:
        return drop(norm(model.embedding_scale * embedding(ids) + positions(ids.shape[1])))

    def drop(x: Tensor) -> Tensor:
        return apply_dropout(x, P)

    def box(add_norm: torch.nn.Module, x: Tensor, sublayer) -> Tensor:
        if model.config.norm == "pre":
            return x + drop(sublayer(add_norm.norm(x)))
        return add_norm.norm(x + drop(sublayer(x)))

    mask, ahead = padding_mask(source, 0), causal_mask(target.shape[1])
    memory = placed(source, model.source_embedding, model.source_positions, model.source_norm)
    for layer in model.encoder.layers:
        memory = box(layer.self_attention_norm, memory, lambda x, at=layer.self_attention: at(x, x, x, mask))
        memory = box(layer.feed_forward_norm, memory, layer.feed_forward)
    memory = model.encoder.norm(memory)
    y = placed(target, model.target_embedding, model.target_positions, model.target_norm)
    for layer in model.decoder.layers:
        y = box(layer.self_attention_norm, y, lambda x, at=layer.self_attention: at(x, x, x, ahead))
        y = box(layer.cross_attention_norm, y, lambda x, at=layer.cross_attention: at(x, memory, memory, mask))
        y = box(layer.feed_forward_norm, y, layer.feed_forward)
    return model.output(model.decoder.norm(y))


@pytest.mark.parametrize("kind", ZOO)
def test_a_model_in_training_is_its_figure(kind: str):
    model = small.model(**{**ZOO[kind], "dropout": P}).train()

    with small.one_seed():
        logits = model(small.SOURCE, small.TARGET)
    with small.one_seed():
        expected = figure(model, small.SOURCE, small.TARGET)

    torch.testing.assert_close(logits, expected)
    assert not torch.allclose(logits, model.eval()(small.SOURCE, small.TARGET))
