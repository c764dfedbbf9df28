"""The International Phonetic Alphabet, sound by sound: a key word for each, as each accent says it.

`lessons/data/ipa.tsv` holds sounds, key words and descriptions; the pronunciations come from the dictionaries.
"""

import csv
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

from lessons.drawing.grids import as_text
from lessons.task.dictionary import load
from lessons.teaching.said import Rendered, Say, Values, renders, show_said

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
    show_said("show_sounds", [folded] if folded else [], {"chosen": chosen})


@renders("show_sounds")
def rendered_sounds(texts: Sequence[str], values: Values, say: Say) -> Rendered:
    """In Chinese the descriptions are the file's own."""
    known, chosen = sounds(), values["chosen"]
    if unknown := [sound for sound in chosen if sound not in known]:
        raise ValueError(f"no sound {', '.join(unknown)} in ipa.tsv; there are {' '.join(known)}")
    found = [known[sound] for sound in chosen] if chosen else list(known.values())
    headings = tuple(say(heading) for heading in HEADINGS)
    described = [each.english if headings == HEADINGS else each.chinese for each in found]
    lines = [
        headings,
        *((each.sound, each.word, each.british, each.american, text) for each, text in zip(found, described)),
    ]
    rule = "|" + "---|" * len(HEADINGS)
    head, *body = ("| " + " | ".join(line) + " |" for line in lines)
    table = "\n".join([head, rule, *body])
    folded = f"<details><summary>{texts[0]}</summary>\n\n{table}\n\n</details>" if texts else table
    return Rendered(as_text(lines), folded)
