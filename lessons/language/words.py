"""A text of ours in the language that is spoken. What has no Chinese is said in English.

    say("Hints")                                      a fixed text
    tell("{done} of {all} passed", done=1, all=7)     a template with its values

The template is one literal, so that it is found in the source and translated (lessons/translate/messages.py).
"""

import re
from functools import cache
from typing import Any

from lessons.language.choice import CHINESE, language
from lessons.language.po import po_of, translations

MESSAGES = "messages"
GRADERS = "graders"
"""What the graders say of a wrong solution, and what must hold."""

CLINIC = "clinic"
"""What the clinic and the doctor find, what caused it and what to do."""

COMMANDS = "commands"
"""What the other commands print."""

SPOKEN = (MESSAGES, GRADERS, CLINIC, COMMANDS)
"""The .po files of whole lines, which have templates among them."""

GLOSSARY = "glossary"
"""What the glossary says of each term."""

GUIDE = "guide"
"""The teacher's guide."""

FILES = (*SPOKEN, "exercises", "course", GLOSSARY, GUIDE)
"""The .po files whose texts a terminal shows; where two have a text, the first is believed."""

HAN = r"[\u4e00-\u9fff，。；：？！、（）“”《》]"
BETWEEN = re.compile(rf"(?<={HAN}) (?={HAN})")
ENDING = re.compile(r"(\{\w+\}): ([^{}:]+ [^{}:]+)")


@cache
def chinese() -> dict[str, str]:
    """English → Chinese, of every text that a terminal shows."""
    return {english: said for name in reversed(FILES) for english, said in translations(po_of(name)).items()}


@cache
def endings() -> dict[str, str]:
    """Of names in two parts, "{kind}: still in training": in a message the first part may be taken for the whole name."""
    texts = translations(po_of(GRADERS)).items()
    names = ((name, said) for english, said in texts if (name := ENDING.fullmatch(english)))
    return {name[2]: said.removeprefix(f"{name[1]}：") for name, said in names if said.startswith(f"{name[1]}：")}


def say(text: str) -> str:
    return chinese().get(text, text) if language() == CHINESE else text


def tell(template: str, **values: Any) -> str:
    return joined(say(template).format(**values))


def joined(text: str) -> str:
    """Without a space between two Chinese characters, where a value is Chinese and its neighbour too."""
    return BETWEEN.sub("", text)
