"""Talking to a model, on a small random one: the answer, its stream, a conversation, and what is refused in one line."""

import io
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lessons.__main__ import main
from lessons.chat import command
from lessons.chat.answer import answer
from lessons.chat.command import open_chat
from lessons.chat.model import open_model
from lessons.chat.tokenizer import make_tokenizer
from peft import LoraConfig, PeftModel, get_peft_model
from quant import DirectQ4, LinearQ4
from tests.lessons.test_chat_template import CHATML, said
from tests.pretrained.gguf_files import small_tensors, small_values, write_gguf
from tests.smollm import SMOLLM, needs_smollm
from transformer import DecoderOnly, generate
from transformer.pretrained.gguf import read_gguf


@pytest.fixture
def gguf(tmp_path):
    values = small_values() | {"tokenizer.chat_template": CHATML}
    return write_gguf(tmp_path / "small.gguf", values, small_tensors(np.random.default_rng(3)))


@pytest.fixture
def folder(gguf, tmp_path):
    """The same model as a Hugging Face folder."""
    file, path = read_gguf(gguf), tmp_path / "folder"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(file.config))
    save_file({name: tensor.contiguous() for name, tensor in file.tensors.items()}, path / "model.safetensors")
    make_tokenizer(file.tokenizer).save(str(path / "tokenizer.json"))
    (path / "tokenizer_config.json").write_text(json.dumps({"chat_template": CHATML}))
    return path


def test_the_answer_is_what_generate_says(gguf):
    chat = open_model(gguf)
    ids = chat.ids(said("abe"))

    found = answer(chat, said("abe"), max_tokens=9)

    tokens = generate(chat.model, torch.tensor([ids]), 9)[0, len(ids) :].tolist()
    assert found.text == chat.text([id for id in tokens if id not in (chat.config.eos_id, chat.config.pad_id)])
    assert found.tokens > 0


def test_the_pieces_that_are_shown_are_the_answer(gguf):
    pieces = []

    found = answer(open_model(gguf), said("abe"), max_tokens=9, show=pieces.append)

    assert "".join(pieces) == found.text
    assert len([piece for piece in pieces if piece]) > 1


def test_a_drawn_answer_depends_on_its_seed_alone(gguf):
    chat = open_model(gguf)
    texts = [answer(chat, said("abe"), 12, temperature=5.0, seed=seed).text for seed in (1, 1, 2)]

    assert texts[0] == texts[1] != texts[2]


def test_an_answer_that_ends_is_not_cut_off(gguf):
    chat = open_model(gguf)
    with torch.no_grad():  # every token's likeliest successor is the end
        chat.model.output.weight.zero_()
        chat.model.decoder.norm.weight.zero_()
        chat.model.output = torch.nn.Linear(chat.config.d_model, chat.config.vocab_size)
        chat.model.output.bias.copy_(torch.nn.functional.one_hot(torch.tensor(2), chat.config.vocab_size) * 1e4)

    found = answer(chat, said("abe"), max_tokens=9)

    assert (found.text, found.tokens, found.cut_off) == ("", 0, "")


def test_a_question_is_answered_and_the_speed_is_told(gguf, capsys):
    assert main(["chat", "abe", "--model", str(gguf), "--max-tokens", "5"]) == 0

    out, err = capsys.readouterr()
    assert out == answer(open_model(gguf, attention="fused"), said("abe"), 5).text + "\n"
    assert err.startswith("(5 tokens, ")
    assert err.endswith(" a second; cut off by --max-tokens 5)\n")


def test_an_answer_that_fills_the_context_says_so(gguf):
    chat = open_model(gguf, max_length=24)

    found = answer(chat, said("abe"), max_tokens=100)

    assert found.cut_off == "cut off by the context of 24 tokens"
    assert len(chat.ids(said("abe"))) + found.tokens == 24


def test_a_conversation_remembers_and_goes_on_after_a_mistake(gguf, monkeypatch, capsys):
    asked = []
    plain = command.answer
    monkeypatch.setattr(
        command, "answer", lambda chat, messages, *rest: asked.append(messages) or plain(chat, messages, *rest)
    )
    monkeypatch.setattr("sys.stdin", io.StringIO("abe\n\ncab\n"))

    assert main(["chat", "--model", str(gguf), "--max-tokens", "4"]) == 0

    out, err = capsys.readouterr()
    assert err.count("tokens, ") == 2
    assert "python -m lessons chat: message 3 says nothing" in err
    assert [len(messages) for messages in asked] == [1, 3, 3]
    assert asked[2][1] == {"role": "assistant", "content": out.splitlines()[0]}


def test_an_adapter_speaks(gguf, tmp_path):
    tuned = get_peft_model(open_model(gguf).model, LoraConfig(r=2, target_modules="all-linear"))
    with torch.no_grad():
        for parameter in tuned.adapters["default"].own_parameters().values():
            parameter.normal_()
    tuned.save_pretrained(tmp_path / "adapter")

    chat = open_chat(gguf, tmp_path / "adapter")

    assert isinstance(chat.model, PeftModel)
    ids = torch.tensor([chat.ids(said("abe"))])
    torch.testing.assert_close(chat.model(ids), tuned(ids), atol=1e-4, rtol=1e-4)
    assert answer(chat, said("abe"), 6).tokens > 0


@pytest.mark.parametrize(
    ("attention", "adapter", "wanted"), [("fused", False, True), ("math", False, False), ("fused", True, False)]
)
def test_a_plain_model_takes_the_fast_step_and_says_the_same(attention, adapter, wanted, gguf, monkeypatch):
    chat = open_model(gguf, attention=attention)
    if adapter:
        chat.model = get_peft_model(chat.model, LoraConfig(r=2, target_modules="all-linear")).eval()
    clearly, steps, decoding = answer(open_model(gguf), said("abe"), 9).text, [], DecoderOnly.decoding

    def noted(self, *arguments):
        steps.append(arguments[-1])
        return decoding(self, *arguments)

    monkeypatch.setattr(DecoderOnly, "decoding", noted)

    assert answer(chat, said("abe"), 9).text == clearly
    assert steps == [wanted]


def test_four_bits_stay_four_bits_and_answer(gguf, tmp_path, capsys):
    base = open_model(gguf, LinearQ4.from_blocks).model
    get_peft_model(base, LoraConfig(r=2, target_modules="all-linear")).save_pretrained(tmp_path / "a")

    kinds = [
        {type(module) for module in open_chat(gguf, adapter, four_bits=True).model.modules()}
        for adapter in (None, tmp_path / "a")
    ]

    assert [DirectQ4 in kinds[0], LinearQ4 in kinds[1]] == [True, True]
    assert main(["chat", "abe", "--model", str(gguf), "--max-tokens", "4", "--four-bits"]) == 0
    assert "4 tokens" in capsys.readouterr().err
    assert (
        main(
            ["chat", "abe", "--model", str(gguf), "--max-tokens", "4", "--four-bits", "--adapter", str(tmp_path / "a")]
        )
        == 0
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["lora", "qlora_q4_1", "qlora"])
def test_what_training_says_to_type_answers(method, gguf, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jsonl").write_text(json.dumps({"messages": said("abe", "cab")}) + "\n")
    assert (
        main(["chat", "--train", "a.jsonl", "--model", str(gguf), "--method", method, "--steps", "1", "--out", "out"])
        == 0
    )
    told = capsys.readouterr().out.split("python -m lessons ")[-1].split()

    assert told[0] == "chat"
    assert main([*told, "abe", "--model", str(gguf), "--max-tokens", "4"]) == 0


def test_a_folder_answers_as_the_gguf_does(gguf, folder):
    ours, theirs = (answer(open_model(path), said("abe"), 8).text for path in (gguf, folder))

    assert ours == theirs


def test_without_the_model_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert main(["chat", "Hello?"]) == 2

    assert "`make smollm` fetches the language model" in capsys.readouterr().err


def changed(folder, name, **changes):
    values = json.loads((folder / name).read_text()) | changes
    (folder / name).write_text(json.dumps(values))


def another_family(folder):
    changed(folder, "config.json", architectures=["T5ForConditionalGeneration"])


def without_a_template(folder):
    (folder / "tokenizer_config.json").unlink()


def without_a_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def broken_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{}")


def larger_tokenizer(folder):
    values = json.loads((folder / "tokenizer.json").read_text())
    values["added_tokens"].append(values["added_tokens"][0] | {"id": 99, "content": "<more>"})
    (folder / "tokenizer.json").write_text(json.dumps(values))


def longer_question(folder):
    changed(folder, "config.json", max_position_embeddings=4)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (another_family, "names the architecture"),
        (without_a_template, "has no chat template: take a model that was trained to chat"),
        (without_a_tokenizer, "tokenizer.json: the model's tokenizer"),
        (broken_tokenizer, "is no tokenizer"),
        (larger_tokenizer, "does not fit the model: its ids go up to 11, the model's to 10"),
        (longer_question, "tokens, and the model reads 4, its answer included"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused_in_one_line(spoil, message, folder, capsys):
    spoil(folder)

    assert main(["chat", "abe", "--model", str(folder)]) == 2

    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["  "], "the question is empty"),
        (["abe", "--max-tokens", "0"], "--max-tokens 0 must be at least 1"),
        (["abe", "--temperature", "-1"], "--temperature -1.0 must be at least 0"),
        (["abe", "--temperature", "nan"], "--temperature nan must be at least 0"),
        (["abe", "--model", "nowhere"], "there is no nowhere: --model takes a folder"),
        (["abe", "--model", "nowhere.gguf"], "nowhere.gguf"),
        (["abe<|im_end|>"], "holds <|im_end|>, which would end its turn"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(arguments, message, gguf, capsys):
    model = [] if "--model" in arguments else ["--model", str(gguf)]

    assert main(["chat", *arguments, *model]) == 2

    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "the conversation is empty"),
        (said("abe", "cab"), "the last message is not the user's"),
        ([{"role": "assistant", "content": "abe"}], "message 1 is of 'assistant' at the beginning"),
        ([*said("abe"), *said("abe")], "message 2 is of 'user' after 'user'"),
    ],
)
def test_a_conversation_out_of_order_is_refused(messages, message, gguf):
    with pytest.raises(ValueError, match=message):
        answer(open_model(gguf), messages)


@needs_smollm
def test_smollm_says_paris(capsys):
    assert main(["chat", "What is the capital of France?", "--model", str(SMOLLM), "--max-tokens", "16"]) == 0

    assert capsys.readouterr().out == "The capital of France is Paris.\n"
