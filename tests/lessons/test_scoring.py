"""Phoneme and word error: what counts as right, and against which reference."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lessons.task import scoring
from lessons.task.dictionary import load, words
from lessons.task.scoring import Score, edit_distance, evaluate, moved, predict, score, source_batch
from lessons.task.vocabulary import tokenize, vocabulary
from tests.reference.edit_distance import edit_distance as reference_edit_distance
from transformer.config import TransformerConfig
from transformer.model import Transformer


def test_edit_distance_is_the_reference(rng: np.random.Generator):
    for _ in range(200):
        a, b = (rng.integers(0, 4, size=rng.integers(0, high)).tolist() for high in (9, 12))
        assert edit_distance(a, b) == reference_edit_distance(a, b)


@pytest.mark.parametrize(
    ("a", "b", "edits"), [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2)]
)
def test_edit_distance_of_known_pairs(a: str, b: str, edits: int):
    assert edit_distance(a, b) == edit_distance(b, a) == edits


def test_a_perfect_prediction_has_no_error():
    british = load("british")
    assert score({word: british[word][0] for word in ("tomato", "bath", "lieutenant")}, "british") == Score(0.0, 0.0, 3)


def test_a_second_listed_pronunciation_is_right():
    assert load("american")["read"] == ("ɹˈid", "ɹˈɛd")
    assert score({"read": "ɹˈɛd"}, "american") == Score(0.0, 0.0, 1)


def test_errors_are_summed_over_symbols_and_not_averaged_over_words():
    # bˈæθ has 4 symbols and one edit, təmˈeɪɾoʊ has 9 and two.
    assert score({"bath": "bˈɑθ", "tomato": "təmˈɑtoʊ"[:7]}, "american").word_error == 1.0
    assert score({"bath": "bˈɑθ", "tomato": "tmˈeɪɾo"}, "american") == Score(3 / 13, 1.0, 2)


def test_the_nearest_pronunciation_is_the_reference_of_the_phoneme_error():
    assert score({"read": "ɹˈɛdz"}, "american") == Score(1 / 4, 1.0, 1)


def test_stress_is_a_symbol():
    assert score({"bath": "bæθ"}, "american") == Score(1 / 4, 1.0, 1)


def test_an_empty_prediction_is_wrong_in_every_symbol():
    assert score({"bath": ""}, "american") == Score(1.0, 1.0, 1)


def test_words_that_cannot_be_scored_are_named():
    with pytest.raises(ValueError, match=r"not in the british dictionary.*zzzz'"):
        score({"bath": "bˈɑθ", "zzzz": "z"}, "british")
    with pytest.raises(ValueError, match="no words to score"):
        score({}, "british")


@pytest.fixture
def model() -> Transformer:
    sizes = {"d_model": 16, "num_heads": 2, "num_encoder_layers": 1, "num_decoder_layers": 1, "d_ff": 24}
    return Transformer(TransformerConfig(len(vocabulary()), **sizes, dropout=0.3, max_length=64))


@pytest.mark.slow
def test_a_prediction_does_not_depend_on_its_batch(model: Transformer):
    chosen = words("british", "test", limit=11)
    alone, together = (predict(model, chosen, batch_size, max_new_tokens=21) for batch_size in (1, 4))
    assert alone == together
    assert list(alone) == chosen


def test_a_model_that_never_ends_is_cut_at_the_cap_of_each_word(model: Transformer, monkeypatch: pytest.MonkeyPatch):
    def endless(model: nn.Module, source: Tensor, max_new_tokens: int) -> Tensor:
        looping = torch.full((len(source), max_new_tokens), vocabulary().symbol_ids["ə"])
        return torch.cat([torch.ones(len(source), 1, dtype=torch.long), looping], dim=1)

    monkeypatch.setattr(scoring, "generate", endless)
    said = predict(model, ["bath", "lieutenants"], max_new_tokens=27)
    assert [len(tokenize(text)) for text in said.values()] == [2 * 4 + 8, 27]


def test_evaluation_scores_what_the_model_says(model: Transformer, monkeypatch: pytest.MonkeyPatch):
    tokens, british = vocabulary(), load("british")

    def oracle(model: nn.Module, source: Tensor, max_new_tokens: int) -> Tensor:
        said = [torch.tensor([1, *tokens.encode_pronunciation(british[tokens.decode(row)][0])]) for row in source]
        return nn.utils.rnn.pad_sequence(said, batch_first=True)

    monkeypatch.setattr(scoring, "generate", oracle)
    chosen = words("british", "test", limit=40)
    assert evaluate(model, chosen, "british", batch_size=9) == Score(0.0, 0.0, 40)


def test_moved_letters_are_read_as_if_they_began_further_back(model: Transformer):
    source = source_batch(["bath", "tomato"])
    model.eval()
    wanted, _ = model.encode(source, torch.tensor([[5], [5]]))
    plain, _ = model.encode(source)

    with moved(model, 5):
        memory, mask = model.encode(source)

    torch.testing.assert_close(memory[:, 5:], wanted)
    assert mask[:, 0, 0].tolist() == [[False] * 5 + [True] * count + [False] * (7 - count) for count in (5, 7)]
    assert torch.equal(model.encode(source)[0], plain)
    assert not torch.allclose(wanted, plain, atol=1e-3)


def test_prediction_runs_without_dropout_and_leaves_the_mode_as_it_was(model: Transformer):
    for mode in (True, False):
        model.train(mode)
        assert predict(model, ["schedule"]) == predict(model, ["schedule"])
        assert model.training is mode
