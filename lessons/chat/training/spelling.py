"""American to British once more, in writing: "Rewrite in British spelling: ..." on real sentences, split by stem.

    seen        its words were trained on, in other sentences
    never       no word of these stems was ever trained on
    unchanged   there is nothing to change

The sentences are those that people rated (lessons/data/feedback.py), the words those of lessons/data/spelling.tsv.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from lessons.data.spelling import FALSE, read_spellings, stem

REQUEST = "Rewrite in British spelling: "
WORD = re.compile(r"[A-Za-z]+")
LONGEST = 18  # words
UNKNOWN = re.compile(r"(.{3,}[iy]z(e|ed|es|er|ers|ing|ations?)|.*(vor|lor|bor|nor|mor)(ed|ing|able|ful|ite)s?)$")
"""What looks American and stands in no list: such a sentence is left out, as its answer could be wrong."""
NEVER_SHARE, TEST_SHARE, DEVELOPMENT_SHARE = 0.4, 0.35, 0.1
KINDS = ("seen", "never", "unchanged")


@dataclass(frozen=True)
class Item:
    """A question, its answer, and what it belongs to: `part` is "train", "development" or "test"."""

    question: str
    answer: str
    kind: str
    part: str

    def messages(self) -> list[dict[str, str]]:
        return [{"role": "user", "content": self.question}, {"role": "assistant", "content": self.answer}]


def place(text: str) -> float:
    """A number in [0, 1) that is the same for the same text, and otherwise by chance."""
    return int.from_bytes(hashlib.sha1(text.encode(), usedforsecurity=False).digest()) / 2**160


def rewritten(sentence: str, spellings: dict[str, str]) -> str:
    """The sentence as it is written in Britain; capitals stay."""

    def british(found: re.Match[str]) -> str:
        word = found.group()
        written = spellings.get(word.lower(), word)
        if word.isupper():
            return written.upper()
        return written[:1].upper() + written[1:] if word[0].isupper() else written

    return WORD.sub(british, sentence)


def spelling_items(sentences: Iterable[str]) -> list[Item]:
    """The sentences that are short enough and belong to one kind, in the order of a hash."""
    spellings = read_spellings()
    british = set(spellings.values()) | FALSE
    items = []
    for sentence in sorted({" ".join(text.split()) for text in sentences}, key=place):
        words = [word.lower() for word in WORD.findall(sentence)]
        if not 4 <= len(words) <= LONGEST or british & set(words) or not sentence.isascii():
            continue
        if any(UNKNOWN.fullmatch(word) for word in words if word not in spellings):
            continue
        stems = {stem(word) for word in words if word in spellings}
        never = [place(found) < NEVER_SHARE for found in stems]
        if all(never) == any(never) or not stems:
            kind = "unchanged" if not stems else "never" if any(never) else "seen"
            items.append(Item(REQUEST + sentence, rewritten(sentence, spellings), kind, part_of(sentence, kind)))
    return items


def part_of(sentence: str, kind: str) -> str:
    """Never-trained words are tested only; of the others a share is, and a share chooses the rate."""
    where = place(sentence + " part")
    if kind == "never" or where < TEST_SHARE:
        return "test"
    return "development" if where < TEST_SHARE + DEVELOPMENT_SHARE else "train"


def balanced(items: Iterable[Item], part: str, unchanged: int) -> list[Item]:
    """The items of a part, of those with nothing to change so many."""
    of_part = [item for item in items if item.part == part]
    plain = [item for item in of_part if item.kind == "unchanged"]
    return [item for item in of_part if item.kind != "unchanged"] + plain[:unchanged]
