"""One way to fine-tune the base with every technique."""

import pytest
import torch

from lessons.task import finetuning
from lessons.task.base import load_base
from lessons.task.dictionary import unseen_symbols, vocabulary, words
from lessons.task.finetuning import adapted, fine_tune, letter_types, rate_of
from lessons.task.scoring import evaluate, moved
from quant import Linear4bit
from transformer import generate
from transformer.learning.batching import pad


def test_pills_two_types_are_vowels_and_the_rest_on_both_sides() -> None:
    types, tokens = letter_types(), vocabulary()
    assert [letter for letter, token in tokens.letter_ids.items() if types[token]] == list("aeiouy")
    assert {symbol for symbol, token in tokens.symbol_ids.items() if types[token]} == set("iɪeɛæaɑɒɔoʊuʌəɜᵻ")
    assert not any(types[:3])


def test_every_expert_of_pill_gets_a_gradient() -> None:
    model, _ = fine_tune("pill", ["bath", "tomato", "schedule"], steps=3, learning_rate=0.01)
    own = model.adapters["default"].own_parameters()
    fresh = adapted("pill").adapters["default"].own_parameters()
    still = [name for name, parameter in own.items() if torch.equal(parameter, fresh[name])]
    assert not still


@pytest.mark.slow
def test_the_symbol_that_pretraining_never_saw_is_learnt_and_never_said_before() -> None:
    (unseen,) = unseen_symbols("american")
    rhymes = ["pot", "lot", "cot", "dot"]
    source = pad([vocabulary().encode_word(word) for word in rhymes], 0)
    model, _ = fine_tune("lora", rhymes, steps=40, learning_rate=0.01)
    said = generate(model, source, 12)
    with model.disable_adapter():
        before = generate(model, source, 12)
    assert (said == unseen).any()
    assert not (before == unseen).any()


def test_a_technique_without_a_rate_says_how_to_find_one() -> None:
    with pytest.raises(ValueError, match="search --methods nothing"):
        rate_of("nothing")


@pytest.mark.slow
def test_letters_at_later_positions_cost_this_base_next_to_nothing() -> None:
    """With five empty places in front, as behind five prompts but without any: it was pretrained with such beginnings."""
    asked = words("american", "development", 400)
    base = load_base()
    usual = evaluate(base, asked, "american").phoneme_error
    with moved(base, 5):
        behind = evaluate(base, asked, "american").phoneme_error
    assert behind < 1.15 * usual


@pytest.mark.parametrize(("pays", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_four_bits_compute_in_the_type_in_which_the_processor_is_fast(
    monkeypatch: pytest.MonkeyPatch, pays: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(finetuning, "bf16_pays", lambda: pays)

    model = finetuning.prepared_base("qlora", load_base())

    assert {layer.compute_dtype for layer in model.modules() if isinstance(layer, Linear4bit)} == {dtype}
