"""Entries of a translation are kept, found again and written: what lessons/language/po.py reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import polib  # type: ignore[import-untyped]

from lessons.language.po import METADATA, ZH, po_of, read_po, translations

__all__ = ["ZH", "Text", "po_of", "read_po", "translations", "update", "write_po"]

NEAR = 0.6
"""How alike two texts are, from 0 to 1, for one to be the other's edit."""


@dataclass(frozen=True)
class Text:
    """Something to translate.

    `english`   the entry's msgid
    `kind`      what it is, for the translator: "paragraph", "title of a figure", "hint"
    `place`     file and line
    """

    english: str
    kind: str
    place: tuple[str, int]


def update(kept: polib.POFile, texts: Sequence[Text], memory: dict[str, str] | None = None) -> polib.POFile:
    """The entries of `texts`, with what `kept` and `memory` have for them.

    A text that was there keeps its translation. One that is like an entry whose text is gone takes that one's, marked fuzzy,
    with the old text beside it. What nobody asks for any more stays as obsolete, below, if it was translated.
    """
    old = {entry.msgid: entry for entry in kept if not entry.obsolete}
    wanted = {text.english for text in texts}
    left = [entry for name, entry in old.items() if name not in wanted and entry.msgstr]
    new = polib.POFile(wrapwidth=0)
    new.metadata = {**METADATA, **kept.metadata}
    done: dict[str, polib.POEntry] = {}
    for text in texts:
        if text.english in done:
            done[text.english].occurrences.append((text.place[0], ""))
            continue
        entry = polib.POEntry(msgid=text.english, comment=text.kind, occurrences=[(text.place[0], "")])
        done[text.english] = entry
        if before := old.get(text.english):
            entry.msgstr, entry.flags, entry.tcomment = before.msgstr, list(before.flags), before.tcomment
            entry.previous_msgid = before.previous_msgid
        elif near := nearest(text.english, left):
            left.remove(near)
            entry.msgstr, entry.flags, entry.previous_msgid = near.msgstr, ["fuzzy"], near.msgid
        elif memory and text.english in memory:
            entry.msgstr = memory[text.english]
        new.append(entry)
    for entry in [*left, *(entry for entry in kept if entry.obsolete)]:
        if entry.msgid not in wanted:
            new.append(polib.POEntry(msgid=entry.msgid, msgstr=entry.msgstr, obsolete=True))
    return new


def nearest(text: str, entries: Sequence[polib.POEntry]) -> polib.POEntry | None:
    """Of the entries whose text is gone, the one that `text` is an edit of."""
    likeness = [(SequenceMatcher(None, entry.msgid, text, autojunk=False).ratio(), entry) for entry in entries]
    best = max(likeness, key=lambda pair: pair[0], default=(0.0, None))
    return best[1] if best[0] >= NEAR else None


def write_po(found: polib.POFile, path: Path) -> None:
    """Beside its name first, then into place."""
    path.parent.mkdir(exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(str(found).rstrip("\n") + "\n", encoding="utf-8")
    beside.replace(path)
