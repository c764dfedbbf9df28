"""DPO and GRPO after a supervised adapter, on a small random model: whose preferences, which rule, and that both are followed."""

import json

import numpy as np
import pytest
import torch

from lessons.__main__ import main
from lessons.chat.comparing import forgetting, items
from lessons.chat.comparing.forgetting import own_answers
from lessons.chat.model import open_model
from lessons.chat.preferring import arms, command, votes
from lessons.chat.preferring.arms import Amounts, run_task
from lessons.chat.preferring.rule import SpellingRule
from lessons.chat.preferring.table import NAMES, lines_of, told
from lessons.chat.preferring.votes import drawn_preferences, preferences_of, vote_of
from lessons.chat.training import sentiment_measures
from lessons.chat.training.sentiment import LABELS
from lessons.chat.training.spelling import REQUEST, Item
from lessons.data.feedback import RatedSentence
from tests.lessons.test_chat_command import gguf  # noqa: F401  a fixture

KINDS = ("seen", "never", "unchanged")
SPELLING = [
    Item(f"{REQUEST}{'ab'[:n]}", "ab"[:n], kind, part)
    for kind, part in (("seen", "train"), ("unchanged", "train"), *((kind, "test") for kind in KINDS))
    for n in (1, 2)
]
SMALL_LABELS = ("a", "b", "e")
SENTIMENT = [
    Item("ab" * n, label, domain, part)
    for domain, part in (("movies", "train"), ("movies", "development"), ("movies", "test"), ("news", "test"))
    for n, label in enumerate(SMALL_LABELS, start=1)
]
RATED = [RatedSentence("ab", (2, 1)), RatedSentence("abab", (-3,)), RatedSentence("ababab", (0,))]


@pytest.fixture
def small_tasks(monkeypatch):
    items.items_of.cache_clear()
    monkeypatch.setattr(items, "load_ratings", dict)
    monkeypatch.setattr(items, "spelling_items", lambda sentences: SPELLING)
    monkeypatch.setattr(items, "sentiment_items", lambda ratings: SENTIMENT)
    monkeypatch.setattr(sentiment_measures, "LABELS", SMALL_LABELS)
    monkeypatch.setattr(votes, "LABELS", SMALL_LABELS)
    monkeypatch.setattr(arms, "load_ratings", lambda: {"movies": RATED})
    monkeypatch.setattr(forgetting, "ENGLISH", ("abba", "eab"))
    yield
    items.items_of.cache_clear()


def test_a_rating_votes_for_a_label():
    assert [vote_of(rating) for rating in (4, 1, 0, -1, -4)] == [
        "positive",
        "positive",
        "neutral",
        "negative",
        "negative",
    ]


def test_a_pair_is_one_persons_and_people_contradict_each_other():
    """Three of four rate it positive: three of four pairs say so, and each is above one of the two others."""
    item = Item("good", "positive", "movies", "train")
    found = drawn_preferences([item] * 400, [RatedSentence("good", (3, 1, -2, 2))], np.random.default_rng(0))

    assert all(question == "good" and chosen != rejected for question, chosen, rejected in found)
    assert np.mean([chosen == "positive" for _, chosen, _ in found]) == pytest.approx(0.75, abs=0.06)
    assert np.mean([chosen == "negative" for _, chosen, _ in found]) == pytest.approx(0.25, abs=0.06)
    assert {rejected for _, chosen, rejected in found if chosen == "positive"} == {"negative", "neutral"}
    assert set(LABELS) == {"positive", "negative", "neutral"}


def test_pairs_are_what_the_model_is_asked_and_would_say(gguf):  # noqa: F811
    chat = open_model(gguf)
    pairs = preferences_of(chat, [("ab", "a", "be"), ("ababe", "e", "a")])

    prompts = [chat.ids([{"role": "user", "content": question}]) for question in ("ab", "ababe")]
    for row, ids in zip(pairs.source.tolist(), prompts, strict=True):
        assert row == [chat.config.pad_id] * (len(row) - len(ids)) + ids
    for side, said in ((pairs.chosen, ("a", "e")), (pairs.rejected, ("be", "a"))):
        for row, text in zip(side.tolist(), said, strict=True):
            answer = chat.tokenizer.encode(text, add_special_tokens=False).ids
            assert row[: len(answer) + 1] == [*answer, chat.config.eos_id]
            assert set(row[len(answer) + 1 :]) <= {chat.config.pad_id}


def test_the_rule_pays_for_the_british_sentence_with_its_end(gguf):  # noqa: F811
    chat = open_model(gguf)
    rule = SpellingRule(chat, [Item(f"{REQUEST}{text}", "", "", "") for text in ("ab", "babe a")])

    def said(text: str, end: bool = True) -> list[int]:
        ids = chat.tokenizer.encode(text, add_special_tokens=False).ids + [chat.config.eos_id] * end
        return ids + [chat.config.pad_id] * (9 - len(ids))

    asked = [0, 0, 0, 1, 1]
    responses = torch.tensor([said("ab"), said("ab", end=False), said("abe"), said("babe a"), said("ab")])
    mask = responses != chat.config.pad_id

    assert rule(rule.prompts[asked], responses, mask).tolist() == [1, 0, 0, 1, 0]
    assert rule(rule.prompts[asked[:3], 1:], responses[:3], mask[:3]).tolist() == [1, 0, 0], "less padding in front"


def test_the_rule_rewrites_and_reads_no_answer(gguf, monkeypatch):  # noqa: F811
    chat = open_model(gguf)
    monkeypatch.setattr("lessons.chat.preferring.rule.read_spellings", lambda: {"ab": "ae"})
    rule = SpellingRule(chat, [Item(f"{REQUEST}ab", "read by nobody", "seen", "train")])
    right = torch.tensor([[*chat.tokenizer.encode("ae", add_special_tokens=False).ids, chat.config.eos_id]])

    assert rule(rule.prompts, right, torch.ones_like(right, dtype=torch.bool)).tolist() == [1]


@pytest.mark.slow
def test_the_reward_rises_and_the_margin_grows(gguf, tmp_path, small_tasks, monkeypatch):  # noqa: F811
    """Supervised so shortly that a sampled answer is now and then right: then the rule does the rest."""
    monkeypatch.setattr(arms, "rate_of", lambda task, method: 0.03)
    answers = own_answers(tmp_path, gguf, ("ab", "be"))
    amounts = Amounts(
        steps=8,
        dpo_steps=12,
        grpo_steps=12,
        items=2,
        pairs=3,
        prompts=4,
        group=4,
        max_new_tokens=4,
        dpo_rate=5e-3,
        grpo_rate=1e-2,
    )
    found = {task: run_task(task, gguf, amounts, answers) for task in ("sentiment", "spelling")}
    margins = [record["margin"] for record in found["sentiment"]["dpo"]["history"]]
    rewards = [record["reward"] for record in found["spelling"]["grpo"]["history"]]

    assert margins[0] == pytest.approx(0.0, abs=2e-2), "it does not begin at the supervised model"
    assert np.mean(margins[-4:]) > 0.1
    assert np.mean(rewards[-4:]) > rewards[0] + 0.1
    assert found["spelling"]["grpo"]["history"][0]["kl"] == pytest.approx(0.0, abs=2e-2)
    for task, arm in (("sentiment", "dpo"), ("spelling", "grpo")):
        assert list(found[task]) == ["untouched", "supervised", "longer", arm]
        assert len(found[task][arm]["history"]) == len(found[task]["longer"]["history"]) == 12
        assert found[task]["supervised"]["chat_nats"] != found[task]["untouched"]["chat_nats"]
        lines = lines_of(found[task], task)
        assert [line[0] for line in lines[1:]] == [NAMES[name] for name in found[task]]
        assert arm.upper() in told(arm, found[task][arm])


@pytest.mark.slow
def test_the_command_keeps_what_it_finds(gguf, tmp_path, small_tasks, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setattr(forgetting, "PROMPTS", ("ab",))
    arguments = ["chat", "--preferences", "--quick", "--tasks", "sentiment", "--model", str(gguf), "--seed", "3"]

    assert main([*arguments, "--out", str(tmp_path)]) == 0

    kept = json.loads((tmp_path / "preferences.json").read_text())
    assert kept["run"]["seed"] == 3
    assert kept["run"]["dpo_steps"] == command.QUICK["dpo_steps"]
    assert list(kept["tasks"]) == ["sentiment"]
    assert "DPO on people's preferences" in capsys.readouterr().out
