"""An encoder alone: what every model must hold, segments, and a head for masked words."""

import pytest
import torch
from torch import nn

from transformer import EncoderOnly, MaskedWordHead, TransformerConfig


def config(**changes):
    fields = {"vocab_size": 23, "d_model": 12, "num_heads": 3, "num_encoder_layers": 2, "num_decoder_layers": 0}
    fields |= {"d_ff": 20, "dropout": 0.0, "max_length": 9, "positions": "learned", "norm_embeddings": True}
    return TransformerConfig(**{**fields, "num_segments": 3, **changes})


@pytest.fixture
def model():
    model = EncoderOnly(config()).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


SOURCE = torch.tensor([[5, 6, 7, 8, 9], [10, 11, 12, 0, 0]])


def test_padding_changes_nothing(model):
    assert torch.allclose(model(SOURCE)[1, :3], model(SOURCE[1:, :3])[0], atol=1e-6)


def test_rows_do_not_know_each_other(model):
    assert torch.allclose(model(SOURCE)[:1], model(SOURCE[:1]), atol=1e-6)


def test_every_token_looks_ahead(model):
    changed = SOURCE.clone()
    changed[0, 4] = 20

    assert (model(changed)[0, 0] - model(SOURCE)[0, 0]).abs().max() > 1e-3


def test_without_segments_all_tokens_are_of_segment_0(model):
    zeros = torch.zeros_like(SOURCE)

    assert torch.equal(model(SOURCE), model(SOURCE, zeros))
    assert (model(SOURCE) - model(SOURCE, zeros + 1)).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("segments", "message"),
    [(torch.full((2, 5), 3), r"segments are 0\.\.2, not 3 to 3"), (torch.zeros(2, 4, dtype=torch.long), "do not fit")],
)
def test_impossible_segments_are_refused(model, segments, message):
    with pytest.raises(ValueError, match=message):
        model.add_segments(torch.zeros(2, 5, 12), SOURCE, segments)


def test_segments_for_a_model_without_them_are_refused():
    with pytest.raises(ValueError, match="num_segments 0"):
        EncoderOnly(config(num_segments=0))(SOURCE, torch.zeros_like(SOURCE))


class Front(nn.Module):
    """Two vectors before the words, as a prompt puts them there."""

    def forward(self, x, mask):
        return torch.cat([x.new_ones(len(x), 2, 12), x], dim=1), nn.functional.pad(mask, (2, 0), value=True)


def test_a_head_sees_the_words_and_not_what_was_put_before_them(model):
    model.source_input = Front()

    hidden, mask = model.encode(SOURCE)

    assert hidden.shape == (2, 7, 12)
    assert mask.shape == (2, 1, 1, 7)
    assert torch.equal(model(SOURCE), hidden[:, 2:])


def test_what_stands_before_the_words_is_of_segment_0(model):
    in_front = torch.zeros(2, 7, 12)

    added = model.add_segments(in_front, SOURCE, torch.ones_like(SOURCE))

    assert torch.equal(added[:, :2], model.segment_embedding.weight[0].expand(2, 2, 12))
    assert torch.equal(added[:, 2:], model.segment_embedding.weight[1].expand(2, 5, 12))


def test_the_head_for_masked_words_is_tied_to_the_embedding():
    model = EncoderOnly(config(), MaskedWordHead(config()))

    assert model.output.words.weight is model.source_embedding.weight
    assert model(SOURCE).shape == (2, 5, 23)


def test_gradient_checkpointing_changes_no_gradient(model):
    model.train()
    gradients = []
    for enabled in (False, True):
        model.gradient_checkpointing(enabled)
        model.zero_grad()
        model(SOURCE).square().sum().backward()
        gradients.append(model.encoder.layers[0].feed_forward.fc1.weight.grad.clone())

    assert torch.allclose(*gradients)


def test_decoder_layers_in_an_encoder_are_refused():
    with pytest.raises(ValueError, match="no decoder layers, not 1"):
        EncoderOnly(config(num_decoder_layers=1))
