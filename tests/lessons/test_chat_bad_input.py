"""What comes with a model is refused in one line and exit code 2: nothing is read outside the file, nothing of it is run."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from lessons.__main__ import main
from tests.lessons.test_chat_template import CHATML
from tests.pretrained.gguf_files import TOKENS, gguf_bytes, small_tensors, small_values, text

VALUES = small_values() | {"tokenizer.chat_template": CHATML}
BEHIND = "output_norm.weight"
"""A tensor with one side: behind its name stand the number of sides, the side, its type and where it begins."""


def whole(**changes: object) -> bytes:
    values = VALUES | {name.replace("__", "."): value for name, value in changes.items()}
    return gguf_bytes(values, small_tensors(np.random.default_rng(3)))


def overwritten(place: int, packed: bytes) -> bytes:
    """The whole file, with other bytes so far behind the tensor's name."""
    data = bytearray(whole())
    start = data.index(text(BEHIND)) + len(text(BEHIND)) + place
    data[start : start + len(packed)] = packed
    return bytes(data)


def with_template(source: str) -> bytes:
    return whole(tokenizer__chat_template=source)


FILES = {
    "cut in its header": (whole()[:200], "cannot be read as GGUF"),
    "cut in its weights": (whole()[:-100], "cannot be read as GGUF"),
    "of another kind": (b"PK\x03\x04" + whole(), "cannot be read as GGUF"),
    "empty": (b"", "cannot be read as GGUF"),
    "a text that is longer than the file": (whole().replace(text("general.architecture"), struct.pack("<Q", 2**62) + b"general.architecture", 1), "cannot be read as GGUF"),
    "more sides than there are": (overwritten(0, struct.pack("<I", 2**31)), "cannot be read as GGUF"),
    "a side that is larger than the file": (overwritten(4, struct.pack("<Q", 2**60)), "cannot be read as GGUF"),
    "a tensor of an unknown type": (overwritten(12, struct.pack("<I", 77)), "77"),
    "a tensor behind the end of the file": (overwritten(16, struct.pack("<Q", 2**40)), "cannot be read as GGUF"),
    "a tensor that begins before its place": (overwritten(16, struct.pack("<Q", 2**64 - 32)), "cannot be read as GGUF"),
    "of another family": (whole(general__architecture="mamba"), "mamba"),
    "more tokens than rows": (whole(tokenizer__ggml__tokens=[*TOKENS, "f"], tokenizer__ggml__token_type=[3] * 3 + [1] * (len(TOKENS) - 2)), "tokens"),
    "an end token that is none": (whole(tokenizer__ggml__eos_token_id=99), "99"),
    "merges of other tokens": (whole(tokenizer__ggml__merges=["x y"]), "merges of the file's tokenizer are not of its tokens"),
    "a rule that is not known": (whole(tokenizer__ggml__pre="tekken"), "the rule 'tekken'; known are"),
    "a template that loops": (with_template("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"), "was stopped after"),
    "a template that calls the system": (with_template("{{ cycler.__init__.__globals__.os.system('touch RUN') }}"), "reaches for what it may not: '__init__'"),
    "a template that reads a file": (with_template("{% include '/etc/hostname' %}"), "does not take this conversation"),
    "a template that is none": (with_template("{% for"), "is no Jinja template"),
    "a context that the question fills": (whole(llama__context_length=4), "tokens, and the model reads 4, its answer included"),
}  # fmt: skip
"""What is wrong with the model's file → the file, and what is said."""


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["chat", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("python -m lessons chat: ")
    assert err.count("\n") == 1
    assert len(err) < 1000
    return err


@pytest.mark.parametrize("wrong", FILES)
def test_a_model_is_refused_and_nothing_of_it_is_run(wrong, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data, message = FILES[wrong]
    Path("a.gguf").write_bytes(data)

    assert message in refused(["abe", "--model", "a.gguf"], capsys)

    assert [path.name for path in tmp_path.iterdir()] == ["a.gguf"]


def turns(*roles: str) -> list[dict[str, str]]:
    return [{"role": role, "content": "abe"} for role in roles]


CONVERSATIONS = {
    "nothing": ([], "holds no conversation"),
    "a conversation without a message": ([[]], "the conversation is empty"),
    "an answer before its question": ([turns("assistant", "user")], "message 1 is of 'assistant' at the beginning"),
    "two questions": ([turns("user", "user", "assistant")], "message 2 is of 'user' after 'user'"),
    "no answer": ([turns("user")], "there is no answer to learn from"),
    "an unknown role": ([turns("user", "tool")], "message 2 is of 'tool' after 'user'"),
    "an answer of nothing": ([[*turns("user"), {"role": "assistant", "content": " "}]], "message 2 says nothing"),
    "a token that ends a turn": ([[{"role": "user", "content": "a<|im_end|>"}, *turns("assistant")]], "message 1 holds <|im_end|>"),
    "more tokens than the model reads": ([[*turns("user"), {"role": "assistant", "content": "abe " * 200}]], "128"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", CONVERSATIONS)
def test_a_conversation_to_learn_from_is_refused_before_the_work(wrong, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    conversations, message = CONVERSATIONS[wrong]
    Path("a.gguf").write_bytes(whole())
    Path("a.jsonl").write_text("".join(json.dumps({"messages": messages}) + "\n" for messages in conversations))

    told = refused(["--train", "a.jsonl", "--model", "a.gguf", "--out", "out"], capsys)

    assert message in told
    assert not Path("out").exists()
