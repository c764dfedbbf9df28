"""Teaching a small random model by conversations: what is learnt, how every technique stands there, and the command."""

import json
import warnings

import pytest
import torch

from lessons.__main__ import main
from lessons.chat.command import open_chat
from lessons.chat.model import open_model
from lessons.chat.training.conversations import read_conversations, texts_of
from lessons.chat.training.spelling import KINDS, rewritten, spelling_items
from lessons.chat.training.tuning import Q4_1, open_tuned
from lessons.data.spelling import FALSE, british_spellings, read_spellings, stem
from peft import PeftModel
from quant import LinearQ4
from tests.lessons.test_chat_command import gguf  # noqa: F401  a fixture
from tests.lessons.test_chat_template import said
from tests.peft.small import METHODS
from transformer.learning.answer_mask import encode_parts

CONVERSATIONS = [said("he?", "hello!"), said("hell", "12", "34, he", "hello, he!"), said("abe", "1 2 3")]
WITHOUT_A_PLACE = {"bitfit": "no bias to train", "pill": "needs a base with an encoder"}


@pytest.fixture
def conversations(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps({"messages": messages}) + "\n" for messages in CONVERSATIONS))
    return path


def trained(gguf, conversations, out, *more: str) -> int:  # noqa: F811
    where = ["--model", str(gguf), "--out", str(out), "--steps", "4", "--batch-tokens", "60"]
    return main(["chat", "--train", str(conversations), *where, *more])


def test_the_answers_and_their_ends_are_learnt(gguf):  # noqa: F811
    chat = open_model(gguf)
    for messages, (ids, learnt) in zip(CONVERSATIONS, texts_of(chat, CONVERSATIONS), strict=True):
        answers = [message["content"] for message in messages if message["role"] == "assistant"]
        wanted = [chat.tokenizer.encode(text + chat.template.end).ids for text in answers]
        assert [id for id, on in zip(ids, learnt) if on] == [id for answer in wanted for id in answer]
        assert learnt[-1]
        whole, _ = encode_parts(chat.tokenizer, chat.template.parts([messages])[0])
        assert ids == whole[: len(ids)]


def test_a_trained_adapter_is_kept_and_taken_by_chat(gguf, conversations, tmp_path, capsys):  # noqa: F811
    assert trained(gguf, conversations, tmp_path / "out", "--rate", "0.05") == 0

    said_ = capsys.readouterr().out
    assert "3 conversations, 4 steps at the rate 0.05" in said_
    tuned = open_chat(gguf, tmp_path / "out").model
    assert isinstance(tuned, PeftModel)
    ids = torch.tensor([[5, 9, 4]], device=next(tuned.parameters()).device)
    with tuned.disable_adapter():
        before = tuned(ids)
    assert not torch.equal(tuned(ids), before)
    assert not (tmp_path / "out" / "run.safetensors").exists()


def whole_and_stopped(gguf, conversations, folder, monkeypatch, *more: str) -> tuple[bytes, bytes]:  # noqa: F811
    """The adapter of a run, and that of one which was interrupted at its third step and called again."""
    assert trained(gguf, conversations, folder / "whole", *more) == 0
    real = torch.nn.utils.clip_grad_norm_
    steps = []

    def stops(*arguments):
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", stops)
    assert trained(gguf, conversations, folder / "cut", *more) == 130
    assert trained(gguf, conversations, folder / "cut", *more) == 0
    assert len(steps) == 3 + 2
    whole, cut = ((folder / run / "adapter_model.safetensors").read_bytes() for run in ("whole", "cut"))
    return whole, cut


def test_what_is_stopped_goes_on_to_the_same_adapter(gguf, conversations, tmp_path, monkeypatch):  # noqa: F811
    whole, cut = whole_and_stopped(gguf, conversations, tmp_path, monkeypatch)

    assert cut == whole


@pytest.mark.parametrize("method", [*METHODS, Q4_1])
def test_every_technique_has_a_place_or_says_why_not(method, gguf):  # noqa: F811
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if method in WITHOUT_A_PLACE:
            with pytest.raises(ValueError, match=WITHOUT_A_PLACE[method]):
                open_tuned(method, gguf)
            return
        chat = open_tuned(method, gguf)
    ids = torch.tensor([[5, 9, 4, 7]], device=next(chat.model.parameters()).device)
    if method == Q4_1:
        assert any(isinstance(module, LinearQ4) for module in chat.model.modules())
    chat.model(ids).square().sum().backward()
    own = [parameter for parameter in chat.model.parameters() if parameter.requires_grad]
    assert own
    assert any(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in own)


def test_ln_tuning_takes_the_gains_of_rms_norms_and_nothing_else(gguf):  # noqa: F811
    chat = open_tuned("ln_tuning", gguf)
    norms = 2 * chat.config.num_decoder_layers + 1

    assert chat.model.get_nb_trainable_parameters()[0] == norms * chat.config.d_model


def test_options_reach_the_run(gguf, conversations, tmp_path, monkeypatch):  # noqa: F811
    seen = {}

    def spy(chat, method, texts, steps, rate, seed, checkpoint, on_step, **settings):
        stack = chat.model.base_model.decoder
        seen.update(settings, method=method, seed=seed, steps=steps, checkpointing=stack.gradient_checkpointing)
        return [1.0]

    monkeypatch.setattr("lessons.chat.training.command.fine_tune", spy)
    more = ["--method", "dora", "--seed", "5", "--accumulation", "3", "--checkpointing", "--shard"]
    assert trained(gguf, conversations, tmp_path / "out", *more) == 0
    wanted = {"method": "dora", "seed": 5, "steps": 4, "accumulation": 3, "max_tokens": 60, "checkpointing": True}
    assert seen == wanted | {"shard": True}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[]", "line 1 must hold an object"),
        ("{", "is not valid JSON"),
        ('{"messages": 3}', 'needs "messages"'),
        ("", "no conv"),
    ],
)
def test_a_file_that_holds_no_conversations_is_refused(line, message, tmp_path):
    (tmp_path / "bad.jsonl").write_text(line)
    with pytest.raises(ValueError, match=message):
        read_conversations(tmp_path / "bad.jsonl")


def test_a_file_that_is_not_there_is_said(gguf, tmp_path, capsys):  # noqa: F811
    assert trained(gguf, tmp_path / "none.jsonl", tmp_path / "out") == 2
    assert "--train takes spelling, sentiment or a file" in capsys.readouterr().err


@pytest.mark.slow
def test_the_kept_spellings_are_those_that_the_rules_find():
    assert read_spellings() == british_spellings()
    assert read_spellings()["theaters"] == "theatres"
    assert not FALSE & set(read_spellings())


def test_capitals_and_all_else_stay():
    spellings = {"color": "colour", "honored": "honoured"}
    assert rewritten("Color, COLOR; honored, odd!", spellings) == "Colour, COLOUR; honoured, odd!"


SENTENCES = [
    f"{opening} I saw {word} in number {'abcdefghijklmnop'[n]}"
    for word in (*sorted(read_spellings())[::15], "nothing at all", "bread")
    for opening in ("Today", "Once more")
    for n in range(3)
]


@pytest.mark.slow
def test_never_trained_words_share_no_stem_with_trained_ones():
    items = spelling_items(SENTENCES)
    stems = {
        part: {
            stem(word)
            for item in items
            if item.part in part
            for word in item.question.split()
            if word in read_spellings()
        }
        for part in (("train", "development"), ("test",))
    }
    never = {stem(w) for item in items if item.kind == "never" for w in item.question.split() if w in read_spellings()}

    assert {item.kind for item in items} == set(KINDS)
    assert never
    assert not never & stems["train", "development"]
    assert all((item.kind == "unchanged") == item.question.endswith(item.answer) for item in items)
    assert len({item.question for item in items}) == len(items)
