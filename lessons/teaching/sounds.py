"""The International Phonetic Alphabet, sound by sound: a key word for each, as each accent says it.

`lessons/data/ipa.tsv` holds sounds, key words and descriptions; the pronunciations come from the dictionaries.
"""

import csv
from importlib import resources
from typing import NamedTuple

from lessons.drawing.grids import as_text
from lessons.task.dictionary import load
from lessons.teaching.showing import show

HEADINGS = ("sound", "as in", "British 英音", "American 美音", "what it is")


class Sound(NamedTuple):
    """A symbol or a diphthong, a word that holds it, and what it is in both languages."""

    kind: str
    sound: str
    word: str
    english: str
    chinese: str

    @property
    def british(self) -> str:
        return load("british")[self.word][0]

    @property
    def american(self) -> str:
        return load("american")[self.word][0]


def sounds() -> dict[str, Sound]:
    """Sound → its line of the file, in the order of the file."""
    text = (resources.files("lessons") / "data" / "ipa.tsv").read_text(encoding="utf-8")
    _, *lines = csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return {line[1]: Sound(*line) for line in lines}


def show_sounds(*chosen: str, folded: str = "") -> None:
    """Shows these sounds as a table, all of them without names; `folded` is the line behind which it opens.

    Raises ValueError for a sound that is not in the file.
    """
    known = sounds()
    if unknown := [sound for sound in chosen if sound not in known]:
        raise ValueError(f"no sound {', '.join(unknown)} in ipa.tsv; there are {' '.join(known)}")
    found = [known[sound] for sound in chosen] if chosen else list(known.values())
    lines = [HEADINGS, *((each.sound, each.word, each.british, each.american, each.english) for each in found)]
    rule = "|" + "---|" * len(HEADINGS)
    head, *body = ("| " + " | ".join(line) + " |" for line in lines)
    table = "\n".join([head, rule, *body])
    show(as_text(lines), f"<details><summary>{folded}</summary>\n\n{table}\n\n</details>" if folded else table)
