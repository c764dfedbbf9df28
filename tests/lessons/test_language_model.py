"""Lesson 29: what is put back really is put back, and what is said of distances and of Paris holds."""

import pytest
import torch

from lessons.chat.milestone import says
from lessons.experiments.language_model import cache_bytes, scores
from lessons.experiments.language_model_parts import PARTS, positions
from tests.smollm import needs_smollm
from transformer import DecoderOnly, RMSNorm, TransformerConfig

LLAMA = TransformerConfig(
    vocab_size=31,
    d_model=24,
    num_heads=6,
    num_encoder_layers=0,
    num_decoder_layers=2,
    d_ff=40,
    dropout=0.0,
    max_length=48,
    activation="silu",
    norm="pre",
    positions="rotary",
    scale_embeddings=False,
    norm_kind="rms",
    num_kv_heads=2,
    bias=False,
    gated=True,
)
TEXT = torch.tensor([[5, 8, 11, 29, 2, 7]])


def small():
    torch.manual_seed(0)
    model = DecoderOnly(LLAMA).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@torch.no_grad()
def test_every_part_that_is_put_back_changes_what_the_model_says():
    whole, said = small()(TEXT), {}
    for name, change in PARTS.items():
        model = small()
        change(model)
        said[name] = model(TEXT)

    assert torch.equal(said.pop("as it is"), whole)
    assert all(not torch.allclose(logits, whole, atol=1e-3) for logits in said.values())
    every = list(said.values())
    assert all(not torch.allclose(one, other, atol=1e-3) for at, one in enumerate(every) for other in every[:at])


@torch.no_grad()
def test_a_text_that_begins_later_is_read_as_before():
    model = small()
    whole = model(TEXT)
    positions(model, 17)

    assert torch.allclose(model(TEXT), whole, atol=1e-4)
    positions(model, still=True)
    assert not torch.allclose(model(TEXT), whole, atol=1e-3)


def test_a_score_knows_the_distance_and_not_the_place():
    near, far = (scores(50.0, 6, at, 9) for at in (0, 70))

    torch.testing.assert_close(near, far)
    wanted = sum(torch.cos(torch.arange(9.0) * 50.0 ** (-2 * pair / 6)) for pair in range(3)) / 3
    torch.testing.assert_close(near, wanted.double())


def test_a_cache_is_as_large_as_the_one_that_a_model_fills():
    model = small()
    cache = model.new_cache(4)
    with torch.no_grad():
        model.decode(TEXT, cache)

    past = [x for layer in cache.layers for x in layer.keys_and_values(lambda: (torch.zeros(1, 2, 0, 4),) * 2)]
    assert sum(x.nbytes for x in past) == cache_bytes(2, 2, 4, TEXT.shape[1], each=4)


@pytest.mark.slow
@needs_smollm
def test_with_the_librarys_own_blocks_the_model_says_paris(monkeypatch):
    assert "Paris" in says()

    monkeypatch.setattr(RMSNorm, "forward", lambda self, x: x)
    assert "Paris" not in says(max_tokens=4), "it does not read the block that stands in"
