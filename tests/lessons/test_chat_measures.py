"""What is called right in one pass is what greedy decoding says; form and spelling are told apart."""

import pytest
import torch

from lessons.chat.answer import next_tokens
from lessons.chat.model import open_model
from lessons.chat.training import measures
from lessons.chat.training.measures import changed_tokens, nats, right_places, spelling_scores
from lessons.chat.training.spelling import REQUEST, Item
from tests.lessons.test_chat_command import gguf  # noqa: F401  a fixture
from tests.smollm import SMOLLM, needs_smollm


def test_exactly_right_is_the_greedy_answer(gguf, monkeypatch):  # noqa: F811
    """The model's own tokens, made one by one with a cache, are right at all their places; another token is not."""
    chat = open_model(gguf)
    prompt = chat.ids([{"role": "user", "content": "abe"}])
    own = list(next_tokens(chat, prompt, 6, temperature=0.0, seed=0))
    other = [*own[:2], (own[2] + 1) % chat.config.vocab_size]
    texts = [([*prompt, *said], [False] * len(prompt) + [True] * len(said)) for said in (own, other)]
    monkeypatch.setattr(measures, "texts_of", lambda *_: texts)

    first, second = right_places(chat, [Item("", "", "seen", "test")] * 2)

    assert len(own) > 3
    assert all(first)
    assert second == [True, True, False]


def test_a_batch_changes_no_item(gguf):  # noqa: F811
    chat = open_model(gguf)
    items = [Item("a" * n, "ab" * n + "e", "seen", "test") for n in (1, 5, 2, 9)]

    assert right_places(chat, items) == [right_places(chat, [item])[0] for item in items]


@pytest.mark.parametrize(
    ("wrong", "wanted"), [("", (1, 1, 1)), ("changed", (0, 1, 0)), ("else", (0, 0, 1)), ("end", (0, 0, 1))]
)
def test_form_and_spelling_are_told_apart(gguf, wrong, wanted, monkeypatch):  # noqa: F811
    chat = open_model(gguf)
    item = Item(REQUEST + "a ab be", "a aeb be", "never", "test")
    changed = changed_tokens(chat, item)
    bad = {"changed": changed.index(True), "else": 0, "end": len(changed) - 1}.get(wrong)
    monkeypatch.setattr(measures, "right_places", lambda *_: [[place != bad for place in range(len(changed))]])

    assert 0 < sum(changed) < len(changed)
    assert tuple(spelling_scores(chat, [item])["never"][side] for side in measures.SIDES) == wanted


def test_nats_are_the_mean_over_all_tokens(gguf):  # noqa: F811
    chat = open_model(gguf)
    total, count = 0.0, 0
    for text in ("abba", "eb a"):
        ids = chat.tokenizer.encode(text).ids
        probabilities = chat.model(torch.tensor([ids]))[0].detach().softmax(dim=-1)
        total -= sum(float(probabilities[place, after].log()) for place, after in enumerate(ids[1:]))
        count += len(ids) - 1

    assert nats(chat, ["abba", "eb a"]) == pytest.approx(total / count, rel=1e-5)


@needs_smollm
def test_changed_tokens_of_a_real_sentence():
    chat = open_model(SMOLLM)
    item = Item(REQUEST + "The color is wrong.", "The colour is wrong.", "seen", "test")
    ids = chat.tokenizer.encode(item.answer).ids
    written = chat.text([id for id, new in zip(ids, changed_tokens(chat, item)) if new])

    assert written.strip() == "colour"
