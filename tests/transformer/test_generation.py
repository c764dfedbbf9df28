"""Greedy decoding and sampling."""

from inspect import unwrap
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.reference.decoding import top_k_set, top_p_set
from tests.transformer import small
from tests.transformer.small import SOURCE
from transformer import DecoderOnly, EncoderOnly, Transformer, generate
from transformer.decoding.generation import check_settings
from transformer.decoding.sampling import sample, truncate

METHODS = {
    "greedy": {},
    "sampling": {"do_sample": True, "temperature": 1.3, "top_k": 9, "top_p": 0.9},
    "beams": {"num_beams": 3},
}
KINDS = pytest.mark.parametrize(
    "changes", [{}, {"norm": "pre", "positions": "learned", "attention": "fused"}], ids=["paper", "pre"]
)


def generator(seed: int = 4) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Scripted:
    """Says the same rows whatever it reads: row b says `script[b][t]` at step t."""

    config = small.CONFIG

    def __init__(self, script: list[list[int]]):
        self.script = torch.tensor(script)

    start, decoding = Transformer.start, Transformer.decoding

    def encode(self, source):
        return source, None

    def new_cache(self, max_length):
        return SimpleNamespace(length=0)

    def decode(self, tokens, memory, memory_mask, cache=None):
        step = tokens.shape[1] - 1 if cache is None else cache.length
        if cache is not None:
            cache.length += 1
        return torch.nn.functional.one_hot(self.script[:, step], 8)[:, None].float()


@KINDS
def test_the_rows_of_these_tests_differ_and_end_at_different_steps(changes):
    said = generate(small.talker(**changes), SOURCE, max_new_tokens=12)

    ends = {row.index(2) for row in said.tolist()}
    assert len(ends) == 2
    assert all(len(set(row.tolist())) >= 5 for row in said)


def test_greedy_says_the_likeliest_token_at_every_step():
    model = small.talker()

    said = generate(model, SOURCE, max_new_tokens=6)

    assert (said[:, 0] == 1).all()
    for row, source in zip(said, SOURCE):
        for step in range(1, said.shape[1]):
            if 2 not in row[1:step]:
                assert row[step] == model(source[None], row[None, :step])[0, -1].argmax()


@pytest.mark.parametrize("use_cache", [True, False])
def test_a_row_that_has_ended_is_padded_and_decoding_stops_when_all_have(use_cache):
    model = Scripted([[5, 2, 6, 7, 7], [5, 5, 5, 2, 7], [2, 3, 3, 3, 3]])

    said = generate(model, torch.zeros(3, 1, dtype=torch.long), max_new_tokens=5, use_cache=use_cache)

    assert said.tolist() == [[1, 5, 2, 0, 0], [1, 5, 5, 5, 2], [1, 2, 0, 0, 0]]


def test_a_row_that_never_ends_is_cut():
    said = generate(Scripted([[5] * 9]), torch.zeros(1, 1, dtype=torch.long), max_new_tokens=3)

    assert said.tolist() == [[1, 5, 5, 5]]


@pytest.mark.parametrize("method", METHODS)
def test_what_was_said_can_be_trained_on(method):
    model = small.talker()
    said = generate(model, SOURCE, 6, **METHODS[method], generator=generator())

    model(SOURCE, said).sum().backward()

    assert model.target_embedding.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("method", METHODS)
@KINDS
def test_the_cache_changes_nothing_that_is_said(method, changes):
    model = small.talker(**changes)

    cached, uncached = (
        generate(model, SOURCE, 12, **METHODS[method], use_cache=use_cache, generator=generator())
        for use_cache in (True, False)
    )

    assert torch.equal(cached, uncached)


@pytest.mark.parametrize("method", ["greedy", "beams"])
def test_what_is_said_does_not_depend_on_the_batch_or_its_padding(method):
    model = small.talker()
    together = generate(model, SOURCE, 9, **METHODS[method])

    for row, length in enumerate((5, 3, 2)):
        alone = generate(model, SOURCE[row : row + 1, :length], 9, **METHODS[method])[0]
        assert together[row, : len(alone)].tolist() == alone.tolist()
        assert (together[row, len(alone) :] == 0).all()


def test_generation_keeps_no_graph():
    assert not generate(small.talker(), SOURCE, 3).requires_grad


def test_as_many_tokens_as_there_are_positions_can_be_said():
    model = small.talker()
    with torch.no_grad():
        model.output.bias[2] = -1e9  # it never ends

    assert generate(model, SOURCE, max_new_tokens=16).shape == (3, 17)


def some_logits(rng: np.random.Generator, vocab: int = 11) -> np.ndarray:
    return rng.normal(size=(20, vocab)) * 2


def softmax(logits: np.ndarray) -> np.ndarray:
    likelihoods = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return likelihoods / likelihoods.sum(axis=-1, keepdims=True)


def kept(logits: torch.Tensor) -> list[set[int]]:
    return [set(row.isfinite().nonzero()[:, 0].tolist()) for row in logits]


@pytest.mark.parametrize("k", [1, 3, 11, 50])
def test_top_k_keeps_exactly_the_k_best(rng, k):
    logits = some_logits(rng)

    assert kept(truncate(torch.tensor(logits), top_k=k)) == [top_k_set(row, k) for row in softmax(logits)]


@pytest.mark.parametrize("p", [0.01, 0.5, 0.9, 0.999, 1.0])
def test_top_p_keeps_exactly_the_smallest_best_set_that_reaches_the_mass(rng, p):
    logits = some_logits(rng)

    wanted = [top_p_set(row, p) for row in softmax(logits)] if p < 1.0 else [set(range(11))] * 20
    assert kept(truncate(torch.tensor(logits), top_p=p)) == wanted


def test_a_mass_of_one_keeps_everything_in_single_precision_too():
    logits = torch.linspace(0.0, -40.0, 30)[None]

    assert kept(truncate(logits, top_p=1.0)) == [set(range(30))]


def test_top_k_comes_before_top_p(rng):
    logits = some_logits(rng)
    sets = []
    for row in softmax(logits):
        best = sorted(top_k_set(row, 4))
        within = row[best] / row[best].sum()
        sets.append({best[index] for index in top_p_set(within, 0.8)})

    assert kept(truncate(torch.tensor(logits), top_k=4, top_p=0.8)) == sets


def test_what_is_kept_keeps_its_logits(rng):
    logits = torch.tensor(some_logits(rng))

    cut = truncate(logits, top_k=5, top_p=0.9)

    assert torch.equal(cut[cut.isfinite()], logits[cut.isfinite()])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_the_temperature_says(temperature):
    logits, draws = torch.tensor([[2.0, 1.0, 0.0, -1.0]]), 40_000
    wanted = softmax(logits.double().numpy() / temperature)[0]

    drawn = sample(logits.expand(draws, 4), temperature, generator=generator())

    frequency = np.bincount(drawn.numpy(), minlength=4) / draws
    np.testing.assert_allclose(frequency, wanted, atol=5 * (0.25 / draws) ** 0.5)


def test_temperature_comes_before_the_mass_is_cut():
    logits = torch.tensor([[2.0, 0.0, -1.0]])  # 0.84, 0.11, 0.04; at temperature 4: 0.47, 0.29, 0.23

    drawn = sample(logits.expand(500, 3), temperature=4.0, top_p=0.7, generator=generator())

    assert set(drawn.tolist()) == {0, 1}


def test_the_same_generator_state_says_the_same_and_another_seed_something_else():
    model = small.talker()
    first, again, other = (generate(model, SOURCE, 12, do_sample=True, generator=generator(seed)) for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert first.tolist() != other.tolist()


def test_sampling_with_a_generator_leaves_the_global_random_state_alone():
    model = small.talker()
    before = torch.random.get_rng_state()

    generate(model, SOURCE, 4, do_sample=True, generator=generator())

    assert torch.equal(torch.random.get_rng_state(), before)


def test_one_kept_token_is_greedy():
    model = small.talker()

    assert torch.equal(generate(model, SOURCE, 9, do_sample=True, top_k=1), generate(model, SOURCE, 9))
    assert torch.equal(generate(model, SOURCE, 9, do_sample=True, top_p=1e-6), generate(model, SOURCE, 9))


@pytest.mark.parametrize("settings", [{}, {"num_beams": 2}, {"do_sample": True, "top_k": 1, "temperature": 0.01}])
def test_one_token_can_be_asked_for(settings):
    assert generate(small.talker(), SOURCE, max_new_tokens=1, **settings).shape == (len(SOURCE), 2)


@pytest.mark.parametrize("settings", [{"max_new_tokens": 0, "num_beams": 2}, {"max_new_tokens": 4, "num_beams": 0}])
def test_each_number_that_is_too_small_is_refused_beside_one_that_is_not(settings):
    with pytest.raises(ValueError, match=r"(max_new_tokens|num_beams) must be at least 1, not 0"):
        generate(small.talker(), SOURCE, **settings)


PLAIN = {"max_new_tokens": 4, "num_beams": 1, "do_sample": False, "temperature": 1.0}
PLAIN |= {"top_k": None, "top_p": None, "length_penalty": 1.0}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_new_tokens": 3.0}, "max_new_tokens must be an integer, not 3.0"),
        ({"num_beams": 2.0}, "num_beams must be an integer, not 2.0"),
        ({"do_sample": True, "top_k": 2.0}, "top_k must be an integer, not 2.0"),
        ({"num_beams": 2, "length_penalty": float("nan")}, "length_penalty must be a finite number, not nan"),
    ],
)
def test_numbers_of_another_kind_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        unwrap(check_settings)(**PLAIN | settings)


def test_a_model_without_a_decoder_does_not_generate():
    with pytest.raises(TypeError, match="EncoderOnly has no decoder to generate with: take"):
        generate(EncoderOnly(small.config(num_decoder_layers=0)), SOURCE, max_new_tokens=1)


def test_one_logit_that_is_not_finite_is_enough_to_stop():
    model = small.talker(output_bias=True)
    with torch.no_grad():
        model.output.bias[3] = float("nan")

    with pytest.raises(ValueError, match="logits are not finite"):
        generate(model, SOURCE, max_new_tokens=1)


def test_more_tokens_than_positions_are_refused():
    with pytest.raises(ValueError, match="max_new_tokens 17 is more than the model's max_length 16"):
        generate(small.talker(), SOURCE, max_new_tokens=17)


def test_a_draw_is_as_cold_as_it_is_asked_for():
    model = small.talker()

    assert torch.equal(generate(model, SOURCE, 9, do_sample=True, temperature=1e-4), generate(model, SOURCE, 9))


def continues() -> DecoderOnly:
    return small.shaken(DecoderOnly(small.config(num_encoder_layers=0)))


@pytest.mark.parametrize("model", [small.talker, continues], ids=["answers", "continues"])
def test_without_a_cache_none_is_made(model, monkeypatch):
    model = model()
    monkeypatch.setattr(type(model), "new_cache", None)

    generate(model, SOURCE, 3, use_cache=False)
    with pytest.raises(TypeError, match="not callable"):
        generate(model, SOURCE, 3)
