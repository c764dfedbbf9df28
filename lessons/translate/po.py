"""The files of a translation, lessons/zh/NAME.po: gettext's format, written with polib, so that Poedit and Weblate open them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import polib  # type: ignore[import-untyped]

from lessons.teaching.notebooks import LESSONS

ZH = LESSONS / "zh"
METADATA = {
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    "Language": "zh_CN",
}
LINE = re.compile(r'#.*|(?:(?:msg[a-z]+(?:\[\d\])? )?"(?:[^"\\]|\\.)*")\s*')
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


def po_of(name: str) -> Path:
    return ZH / f"{name}.po"


def read_po(path: Path) -> polib.POFile:
    """The file's entries; none where there is no file. Raises ValueError that names the file, and the line where it is damaged."""
    if not path.is_file():
        found = polib.POFile(wrapwidth=0)
        found.metadata = METADATA
        return found
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 at byte {error.start}: save it again in that encoding") from error
    if not text.lstrip().startswith(("#", "msgid")):
        raise ValueError(f"{path} is no .po file: it begins {text[:30]!r}")
    for number, line in enumerate(text.splitlines(), start=1):
        if line and not LINE.fullmatch(line):
            raise ValueError(f"{path}, line {number} is damaged: {line[:40]!r} is neither a comment nor a quoted text")
    try:
        found = polib.pofile(text, wrapwidth=0, check_for_duplicates=True)
    except (OSError, ValueError, IndexError) as error:
        said = str(error).replace(text, str(path)).replace("\n", " ")
        raise ValueError(f"{path} is damaged: {said[-200:]}") from error
    return found


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


def translations(path: Path) -> dict[str, str]:
    """English → Chinese: what is there and not fuzzy."""
    return {entry.msgid: entry.msgstr for entry in read_po(path) if entry.translated()}
