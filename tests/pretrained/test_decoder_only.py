"""A decoder alone: causality, prompts of unequal length, the cache, and something in front of the words."""

import pytest
import torch
from torch import nn

from transformer import DecoderOnly, Transformer, TransformerConfig, generate


def config(**changes):
    fields = {"vocab_size": 23, "d_model": 12, "num_heads": 3, "num_encoder_layers": 0, "num_decoder_layers": 2}
    fields |= {"d_ff": 20, "dropout": 0.0, "max_length": 16, "norm": "pre", "positions": "learned"}
    return TransformerConfig(**{**fields, **changes})


def random_model(**changes):
    model = DecoderOnly(config(**changes)).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


@pytest.fixture
def model():
    return random_model()


PROMPTS = torch.tensor([[5, 6, 7, 8, 9], [0, 0, 10, 11, 12], [0, 0, 0, 0, 13]])
REAL_FROM = (0, 2, 4)


class Front(nn.Module):
    """Two vectors before the words, as a prompt puts them there."""

    def __init__(self):
        super().__init__()
        self.vectors = torch.randn(2, 12)

    def forward(self, x, mask):
        return torch.cat([self.vectors.expand(len(x), -1, -1), x], dim=1), nn.functional.pad(mask, (2, 0), value=True)


def test_no_token_sees_a_later_one(model):
    changed = PROMPTS.clone()
    changed[:, 3] = 20

    assert torch.equal(model(changed)[:, :3], model(PROMPTS)[:, :3])
    assert (model(changed)[:, 3] - model(PROMPTS)[:, 3]).abs().max() > 1e-3


def test_padding_in_front_changes_nothing(model):
    logits = model(PROMPTS)

    for row, start in enumerate(REAL_FROM):
        assert torch.allclose(logits[row, start:], model(PROMPTS[row : row + 1, start:])[0], atol=1e-5)


def test_padding_behind_changes_nothing(model):
    longer = nn.functional.pad(PROMPTS[:1], (0, 3))

    assert torch.allclose(model(longer)[:, :5], model(PROMPTS[:1]), atol=1e-5)


def test_which_tokens_are_real_can_be_said(model):
    """Where padding and a first token are the same id, the ids alone do not tell."""
    ids = torch.tensor([[0, 0, 5]])

    told = model(ids, torch.tensor([[False, True, True]]))

    assert torch.allclose(told[:, 1:], model(ids[:, 1:], torch.ones(1, 2, dtype=torch.bool)), atol=1e-5)
    assert (told - model(ids))[0, 2].abs().max() > 1e-3


@pytest.mark.parametrize("front", [False, True], ids=["words", "two vectors before the words"])
def test_steps_with_a_cache_are_the_whole_at_once(model, front):
    if front:
        model.source_input = Front()
    text = torch.cat([PROMPTS, torch.tensor([[14, 15, 0], [16, 17, 18], [19, 20, 21]])], dim=1)

    cache = model.new_cache(3)
    parts = [model.decode(text[:, :5], cache), model.decode(text[:, 5:6], cache), model.decode(text[:, 6:], cache)]

    assert torch.allclose(torch.cat(parts, dim=1), model(text), atol=1e-5)


def test_a_response_is_read_behind_its_source(model):
    response = torch.tensor([[14, 0, 15], [16, 17, 18], [19, 20, 21]])

    text, real = model.with_response(PROMPTS, response)

    assert torch.equal(text, torch.cat([model.start(PROMPTS), response], dim=1))
    assert real[:, 5:].all()
    assert torch.equal(real[:, :5].sum(dim=1), 5 - torch.tensor(REAL_FROM))
    assert torch.equal(model.output(model.states(text, real)), model(text, real))


def test_a_full_cache_says_so(model):
    cache = model.new_cache(1)
    model.decode(PROMPTS, cache)

    with pytest.raises(ValueError, match="room for 6 positions; 5 are taken, 2 more came"):
        model.decode(PROMPTS[:, :2], cache)


@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize("pad_id", [0, 2], ids=["padding of its own", "padding is eos"])
def test_generation_with_and_without_a_cache_is_equal(num_beams, pad_id):
    model = random_model(pad_id=pad_id).double()
    prompts = torch.where(PROMPTS == 0, pad_id, PROMPTS)

    cached, whole = (generate(model, prompts, 9, num_beams=num_beams, use_cache=cache) for cache in (True, False))

    assert torch.equal(cached, whole)
    assert torch.equal(cached[:, :5], prompts)


@pytest.mark.parametrize("num_beams", [1, 3])
def test_each_prompt_is_continued_as_if_it_were_alone(model, num_beams):
    model.double()

    together = generate(model, PROMPTS, 8, num_beams=num_beams)

    for row, start in enumerate(REAL_FROM):
        alone = generate(model, PROMPTS[row : row + 1, start:], 8, num_beams=num_beams)[0]
        rest = together[row, start + len(alone) :]
        assert torch.equal(together[row, start : start + len(alone)], alone)
        assert (rest == model.config.pad_id).all()


def test_the_last_token_is_real_even_where_a_row_holds_nothing_but_padding():
    """A vocabulary without padding: the end of one text is what the next one begins with."""
    model = random_model(pad_id=2)

    logits = model(torch.tensor([[2, 2, 2], [5, 6, 7]]))

    assert torch.allclose(logits[0, 2:], model(torch.tensor([[2]]), torch.tensor([[True]]))[0], atol=1e-5)


def test_a_text_that_grows_beyond_max_length_is_refused(model):
    with pytest.raises(ValueError, match="max_length is 16"):
        generate(model, PROMPTS, 13)


def test_the_causal_layer_is_the_encoder_s_layer_with_another_mask():
    """A decoder-only model with a full view would be an encoder: same parameters, same names within a layer."""
    decoder = DecoderOnly(config())
    encoder = Transformer(config(num_encoder_layers=2, num_decoder_layers=0))

    assert list(decoder.decoder.layers.state_dict()) == list(encoder.encoder.layers.state_dict())


def test_gradient_checkpointing_changes_no_gradient(model):
    model.train()
    gradients = []
    for enabled in (False, True):
        model.gradient_checkpointing(enabled)
        model.zero_grad()
        model(PROMPTS).square().mean().backward()
        gradients.append(model.decoder.layers[0].feed_forward.fc1.weight.grad.clone())

    assert torch.allclose(*gradients)


@pytest.mark.parametrize("changes", [{"num_encoder_layers": 1}, {"num_segments": 2}])
def test_what_belongs_to_an_encoder_is_refused(changes):
    with pytest.raises(ValueError, match="no encoder layers and no segments"):
        DecoderOnly(config(**changes))


def test_padding_may_be_eos_only_where_nothing_is_encoded():
    config(pad_id=2)

    with pytest.raises(ValueError, match="pad_id and eos_id are both 2"):
        config(pad_id=2, num_encoder_layers=1)
