"""Sentences that every trained model is asked, whatever it was trained on: a film, a hospital, a bank.

The first is the sentence of many introductions to prompts, in English and as it stands in Chinese ones. The others are
about fields that the rated sentences do not have, where a word of praise may be bad news and the other way round.
"""

from typing import NamedTuple


class Example(NamedTuple):
    """A sentence, and what people of the field take it for: 1 good news, -1 bad news."""

    field: str
    text: str
    meant: int


IN_ENGLISH, IN_CHINESE = "This film is inspiring.", "这部电影令人振奋。"
EXAMPLES = (
    Example("film", IN_ENGLISH, 1),
    Example("film", IN_CHINESE, 1),
    Example("film", "This film is not inspiring.", -1),
    Example("film", "I wanted to like it, but I fell asleep.", -1),
    Example("hospital", "The patient is recovering well.", 1),
    Example("hospital", "The test for cancer came back negative.", 1),
    Example("hospital", "The test for cancer came back positive.", -1),
    Example("hospital", "No sign of the tumour is left.", 1),
    Example("bank", "The company had a great year.", 1),
    Example("bank", "The company's losses fell by half.", 1),
    Example("bank", "The company's debt keeps growing.", -1),
    Example("bank", "The bank raised its forecast again.", 1),
)
