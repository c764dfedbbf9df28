"""The tokenizer of a GGUF: the ids of the plain loops and of llama.cpp, special tokens whole, padding apart from the end."""

import dataclasses
import hashlib

import pytest

from lessons.chat.tokenizer import RULES, control_tokens, make_tokenizer
from tests.lessons.text_lines import SAMPLES, lines
from tests.reference import byte_bpe
from tests.smollm import SMOLLM, needs_smollm
from transformer.pretrained.gguf import Vocabulary, read_gguf

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
LLAMA_CPP = "ff3c61da3c096c5898d8f240394f0a049f7cd8016c96f28c3fa851d0c0749ed0"
"""Of the ids that llama.cpp gives for SAMPLES."""
MERGES = [("h", "e"), ("l", "l"), ("he", "ll"), ("Ġ", "hell"), ("1", "2"), ("Ġ", "Ġ"), ("Ċ", "Ċ"), ("'", "t")]


def small_vocabulary(**changes) -> Vocabulary:
    tokens = [*SPECIAL, *byte_bpe.byte_characters(), *("".join(pair) for pair in MERGES)]
    kinds = [3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL))
    own = {"pre": "smollm", "bos_id": 1, "eos_id": 2, "unk_id": 0, "pad_id": 0, "add_bos": False}
    return Vocabulary(model="gpt2", tokens=tokens, kinds=kinds, merges=MERGES, **(own | changes))


def reference_ids(vocabulary: Vocabulary, texts: list[str]) -> list[list[int]]:
    ids = {token: id for id, token in enumerate(vocabulary.tokens)}
    ranks = {pair: rank for rank, pair in enumerate(vocabulary.merges)}
    special = list(control_tokens(vocabulary))
    return [byte_bpe.encode(text, ids, ranks, special) for text in texts]


def encode_all(vocabulary: Vocabulary, texts: list[str]) -> list[list[int]]:
    tokenizer = make_tokenizer(vocabulary)
    return [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]


def as_tokens(vocabulary: Vocabulary, text: str) -> list[str]:
    return [vocabulary.tokens[id] for id in encode_all(vocabulary, [text])[0]]


def test_a_small_vocabulary_gives_the_reference_s_ids():
    vocabulary, texts = small_vocabulary(), [*SAMPLES, "hello hell  hello\n\nhe12 12"]
    assert encode_all(vocabulary, texts) == reference_ids(vocabulary, texts)


@pytest.mark.parametrize(
    ("rule", "text", "tokens"),
    [
        ("smollm", "12 hell", ["1", "2", "Ġhell"]),
        ("gpt-2", "12 hell", ["12", "Ġhell"]),
        ("qwen2", "12 hell", ["1", "2", "Ġhell"]),
        ("llama-bpe", "12 hell", ["12", "Ġhell"]),
        ("gpt-2", "a\n\nb", ["a", "Ċ", "Ċ", "b"]),
        ("qwen2", "a\n\nb", ["a", "ĊĊ", "b"]),
        ("qwen2", "e\u0301", ["Ã", "©"]),
        ("gpt-2", "e\u0301", ["e", "Ì", "ģ"]),
    ],
)
def test_each_rule_cuts_words_its_own_way(rule, text, tokens):
    assert as_tokens(small_vocabulary(pre=rule), text) == tokens


def test_special_tokens_are_taken_whole_and_come_back():
    vocabulary = small_vocabulary()
    tokenizer = make_tokenizer(vocabulary)
    ids = tokenizer.encode("<|im_start|>he<|im_end|>\n", add_special_tokens=False).ids
    assert [vocabulary.tokens[id] for id in ids] == ["<|im_start|>", "he", "<|im_end|>", "Ċ"]
    assert tokenizer.decode(ids, skip_special_tokens=False) == "<|im_start|>he<|im_end|>\n"
    assert tokenizer.decode(ids) == "he\n"


def test_a_text_begins_with_bos_where_the_file_says_so():
    assert make_tokenizer(small_vocabulary(add_bos=True)).encode("he").ids[0] == 1
    assert make_tokenizer(small_vocabulary()).encode("he").ids[0] != 1


def test_what_is_not_known_is_refused_by_name():
    with pytest.raises(ValueError, match=r"tokenizer is 'llama' with the rule 'smollm'; known are 'gpt2' with gpt-2"):
        make_tokenizer(dataclasses.replace(small_vocabulary(), model="llama"))
    with pytest.raises(ValueError, match=r"the rule 'tekken'; known are"):
        make_tokenizer(small_vocabulary(pre="tekken"))
    with pytest.raises(
        ValueError, match=r"1 merges of the file's tokenizer are not of its tokens, the first one \('x'"
    ):
        make_tokenizer(dataclasses.replace(small_vocabulary(), merges=[("x", "y")]))
    assert set(RULES) == {"gpt-2", "smollm", "qwen2", "llama-bpe"}


@needs_smollm
def test_a_thousand_lines_have_the_reference_s_ids():
    """llama.cpp (xllamacpp 2026.10.11549, `/tokenize`) gives the same ids for every one of them.

    transformers 5.23 does not: it takes GPT-2's rule for SmolLM2's, and gives other ids where two digits meet.
    """
    vocabulary, texts = read_gguf(SMOLLM).tokenizer, lines()
    assert len(texts) == 1000
    assert encode_all(vocabulary, texts) == reference_ids(vocabulary, texts)


@needs_smollm
def test_ids_that_llama_cpp_gave():
    tokenizer = make_tokenizer(read_gguf(SMOLLM).tokenizer)
    found = [tokenizer.encode(text, add_special_tokens=False).ids for text in SAMPLES]
    assert hashlib.sha256(repr(found).encode()).hexdigest() == LLAMA_CPP


@needs_smollm
def test_smollm2_s_padding_is_not_its_end_and_the_end_is_one_token():
    vocabulary = read_gguf(SMOLLM).tokenizer
    assert (vocabulary.pad_id, vocabulary.eos_id) == (0, 2)
    assert make_tokenizer(vocabulary).encode("<|im_end|>", add_special_tokens=False).ids == [2]


@needs_smollm
def test_text_comes_back_from_its_ids():
    vocabulary, texts = read_gguf(SMOLLM).tokenizer, lines()
    tokenizer = make_tokenizer(vocabulary)
    lost = [text for text in texts if tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) != text]
    assert len(lost) == 2  # control characters and unassigned planes, which its vocabulary lacks
