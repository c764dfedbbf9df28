"""What the boxes "it is said" quote in Chinese: the walkthrough's own sentence, with its section."""

import re

import pytest

pytest.importorskip("jupytext", reason="the notebooks' tools are not installed")

from lessons.language.po import po_of, translations
from lessons.teaching.calls import calls_in, texts_of
from lessons.teaching.notebooks import read_lesson, sources

QUOTED = re.compile(r"“[^“”]+”.*（教程第[一二三四五六]节(?:，[^（）]+)?）")
ELSEWHERE = {
    "Without 1/√d softmax saturates and the gradient vanishes.",
    "Each neuron of the feed forward detects one feature.",
    "The feed forward works on each word by itself.",
    "Beam search finds a better answer than greedy decoding.",
    "The fewer parameters are trained, the weaker the technique.",
    "Each paper's relative beats LoRA.",
    "NF4 is information-theoretically optimal.",
    "Hugging Face PEFT does prefix tuning on encoder-decoder models (T5, BART).",
    "A reward model cannot be better than the people it learnt from agree with each other.",
    "The KL term only keeps the language fluent; the smaller it is, the better the model follows people.",
    "DPO makes the chosen answers more likely and the rejected ones less.",
    "Today's language models have a better architecture than the Transformer of 2017.",
    "Instruction tuning teaches the model knowledge; the loss is taken on the whole text.",
    "The diagnosis is silent, so the model is well.",
    "The loss went down, so the fine-tune worked.",
}
"""What others say, and the walkthrough does not."""


def said_in(source):
    """The first text of each box."""
    for cell in read_lesson(source).cells:
        if cell.cell_type == "code":
            for name, node in calls_in(cell.source):
                if name == "said_and_so":
                    yield texts_of([(name, node)])[0]


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.stem)
def test_a_box_quotes_the_walkthrough_with_its_section(source):
    chinese = translations(po_of(source.stem))
    for english in said_in(source):
        assert bool(QUOTED.fullmatch(chinese[english])) == (english not in ELSEWHERE), chinese[english]


def test_what_others_say_stands_in_a_box():
    assert {english for source in sources() for english in said_in(source)} >= ELSEWHERE
