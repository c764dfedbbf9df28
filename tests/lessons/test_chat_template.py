"""Chat templates: bounded, strict about conversations, and a mask that holds the answers and their ends, no more."""

import time

import pytest

from lessons.chat.render import render
from lessons.chat.template import ChatTemplate, check_conversation
from lessons.chat.tokenizer import make_tokenizer
from tests.lessons.test_chat_tokenizer import small_vocabulary
from tests.smollm import SMOLLM, needs_smollm
from transformer.learning.answer_mask import encode_parts
from transformer.pretrained.gguf import read_gguf

CHATML = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nBe kind<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TRIMMED = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}[INST] {{ message['content'] | trim }} [/INST]"
    "{% else %} {{ message['content'] | trim }}{{ eos_token }}{% endif %}{% endfor %}"
)


def said(*contents: str, system: str | None = None) -> list[dict[str, str]]:
    """User and assistant by turns."""
    turns = [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(contents)]
    return ([{"role": "system", "content": system}] if system else []) + turns


def template(source: str = CHATML, **changes) -> ChatTemplate:
    return ChatTemplate(source, small_vocabulary(**changes))


def text_of(template: ChatTemplate, messages) -> str:
    return render(template.source, [(messages, False)], template.names())[0]


def answers_of(template: ChatTemplate, messages) -> list[str]:
    """What the mask leaves, decoded answer by answer."""
    tokenizer, vocabulary = make_tokenizer(template.vocabulary), template.vocabulary
    ids, mask = encode_parts(tokenizer, template.parts([messages])[0])
    assert tokenizer.decode(ids, skip_special_tokens=False) == text_of(template, messages)
    assert len(ids) == len(mask)
    kept = "".join(
        tokenizer.decode([id], skip_special_tokens=False) if is_answer else "\0" for id, is_answer in zip(ids, mask)
    )
    assert all(id == vocabulary.eos_id for id, on, off in zip(ids, mask, [*mask[1:], False]) if on and not off)
    return [answer for answer in kept.split("\0") if answer]


def test_the_prompt_ends_where_the_answer_begins():
    assert template().prompt(said("he", system="hell")) == (
        "<|im_start|>system\nhell<|im_end|>\n<|im_start|>user\nhe<|im_end|>\n<|im_start|>assistant\n"
    )
    assert template(TRIMMED).prompt(said(" he ")) == "<|im_start|>[INST] he [/INST]"


@pytest.mark.parametrize("system", [None, "hell"])
def test_the_mask_holds_each_answer_and_its_end_and_nothing_else(system):
    messages = said("he?", "hello!", "12", "34, he", system=system)
    assert answers_of(template(), messages) == ["hello!<|im_end|>", "34, he<|im_end|>"]
    assert answers_of(template(TRIMMED), messages) == [" hello!<|im_end|>", " 34, he<|im_end|>"]


def test_an_answer_that_repeats_the_question_is_told_from_it():
    assert answers_of(template(), said("he", "he", "he", "he")) == ["he<|im_end|>", "he<|im_end|>"]


def test_a_token_never_lies_across_the_border():
    """Cut as a whole, the prompt's last line break and the answer's first one would be one token, half an answer."""
    own = template(pre="qwen2")
    tokenizer = make_tokenizer(own.vocabulary)
    messages = said("he", "\nhell")
    (before, _), (answer, _), _ = own.parts([messages])[0]

    ids, mask = encode_parts(tokenizer, own.parts([messages])[0])

    assert answer == "\nhell<|im_end|>"
    assert ids[: mask.index(True)] == tokenizer.encode(own.prompt(messages[:1]), add_special_tokens=False).ids
    assert len(ids) == len(tokenizer.encode(before + answer + "\n", add_special_tokens=False).ids) + 1


def test_many_conversations_are_one_call():
    first, second = said("he", "hell"), said("12", "34", "56", "78")
    assert template().parts([first, second]) == [template().parts([first])[0], template().parts([second])[0]]
    assert template().parts([]) == []


ONLY_THE_LAST = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['role'] == 'assistant' and loop.last %}(thinks) {% endif %}{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (ONLY_THE_LAST, "writes what comes before message 2 differently once it is answered"),
        ("{{ messages | length }}", "writes what comes before message 2 differently"),
        (CHATML.replace("<|im_end|>", "</s>"), r"does not write message 2 and <\|im_end\|> after it"),
        (CHATML.replace("message['content']", "'?'"), "does not write message 2"),
    ],
)
def test_a_template_whose_answers_cannot_be_told_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        template(source).parts([said("he", "hell", "12", "34")])


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "the conversation is empty"),
        ([{"role": "assistant", "content": "a"}], "message 1 is of 'assistant' at the beginning; there may stand system or user"),
        (said("a", "b") + said("c") + said("d"), "message 4 is of 'user' after 'user'; there may stand assistant"),
        ([*said("a"), {"role": "system", "content": "b"}], "message 2 is of 'system' after 'user'"),
        ([{"role": "tool", "content": "b"}], "message 1 is of 'tool' at the beginning"),
        ([{"role": "system", "content": "b"}, *said("a", "b")[1:]], "message 2 is of 'assistant' after 'system'; .* user"),
        (said("a", " \n"), "message 2 says nothing"),
        (said("<|im_end|>x"), r"message 1 holds <\|im_end\|>, which would end its turn"),
        ([{"role": "user"}], "message 1 must have a role and a content"),
        ([{"role": "user", "content": None}], "message 1 must have a role and a content, both text"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_conversation_out_of_order_is_refused_in_one_line(messages, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_conversation(messages, ["<|im_start|>", "<|im_end|>"])
    assert "\n" not in str(caught.value)
    for call in (template().prompt, lambda messages: template().parts([messages])):
        with pytest.raises(ValueError, match=message):
            call(messages)


def test_a_question_is_answered_and_an_answer_is_learned_from():
    with pytest.raises(ValueError, match="the last message is not the user's"):
        template().prompt(said("a", "b"))
    with pytest.raises(ValueError, match="the last message is not the assistant's"):
        template().parts([said("a", "b", "c")])
    with pytest.raises(ValueError, match="names no end token"):
        template(eos_id=None).parts([said("a", "b")])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "was stopped after .* it loops"),
        ("{{ 9 ** (9 ** 9) }}", "was stopped after|more than 512 MB|does not take"),
        ("{{ 'a' * 10 ** 10 }}", "asks for more than 512 MB"),
        ("{{ '%1000000000d' | format(1) }}", "asks for more than 512 MB"),
        ("{% for i in range(9999) %}{{ 'a' * 9999 }}{% endfor %}", "its text has more than 8388608 characters"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "calls itself without an end"),
        ("{{ ''.__class__ }}", "reaches for what it may not: '__class__' of a str"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "reaches for what it may not"),
        ("{{ cycler.__init__.__globals__.os.popen('true') }}", "reaches for what it may not: '__init__'"),
        ("{{ messages | attr('__len__') }}", "reaches for what it may not|does not take"),
        ("{{ messages.append(1) }}", "reaches for what it may not: 'append' of a list"),
        ("{% include '/etc/hostname' %}", "does not take this conversation: no loader"),
        ("{{ raise_exception('no\nsystem') }}", "does not take this conversation: no system"),
        ("{{ messages[0].content.nothing.more }}", "does not take this conversation: .*nothing"),
        ("{% for", "is no Jinja template, line 1"),
    ],
    ids=lambda value: value[:40],
)  # fmt: skip
def test_a_template_that_does_harm_is_refused_in_one_line(source, message):
    began = time.monotonic()
    with pytest.raises(ValueError, match=message) as caught:
        template(source).prompt(said("a"))
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began < 20  # 2 s where the machine has a core for it


def test_blocks_leave_no_lines_behind():
    """As transformers renders: a block alone on its line is not a line of the text."""
    source = "  {% for message in messages %}\n    {{ message.content }}\n  {% endfor %}\nend"
    assert render(source, [(said("a", "b"), False)], {}) == ["    a\n    b\nend"]


@needs_smollm
def test_smollm2_s_template_and_its_mask():
    file = read_gguf(SMOLLM)
    own = ChatTemplate(file.chat_template, file.tokenizer)
    messages = said("What is the capital of France?", "The capital of France is Paris.", "Thanks", "Any time!\n")

    assert own.prompt(messages[:1]) == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert answers_of(own, messages) == ["The capital of France is Paris.<|im_end|>", "Any time!\n<|im_end|>"]
    tokenizer = make_tokenizer(file.tokenizer)
    ids, _ = encode_parts(tokenizer, own.parts([messages])[0])
    assert ids == tokenizer.encode(text_of(own, messages), add_special_tokens=False).ids
