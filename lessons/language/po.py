"""The files of a translation, lessons/zh/NAME.po, read with polib: gettext's format, so that Poedit and Weblate open them."""

import itertools
import re
from pathlib import Path

import polib  # type: ignore[import-untyped]

ZH = Path(__file__).parents[1] / "zh"
METADATA = {
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    "Language": "zh_CN",
}
LINE = re.compile(r'#.*|(?:(?:msg[a-z]+(?:\[\d\])? )?"(?:[^"\\]|\\.)*")\s*')


def po_of(name: str) -> Path:
    return ZH / f"{name}.po"


def read_po(path: Path) -> polib.POFile:
    """The file's entries; none where there is no file. Raises ValueError that names file, line and entry where it is damaged."""
    if not path.is_file():
        found = polib.POFile(wrapwidth=0)
        found.metadata = METADATA
        return found
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        where = place(path, data.decode("utf-8", "replace"), data[: error.start].count(b"\n") + 1)
        raise ValueError(f"{where} is not UTF-8: save the file again in that encoding") from error
    if not text.lstrip("\ufeff \n").startswith(("#", "msgid")):
        raise ValueError(f"{path}, line 1 is of no .po file: it begins {text[:30]!r}")
    for number, line in enumerate(text.splitlines(), start=1):
        if line and not LINE.fullmatch(line.lstrip("\ufeff")):
            raise ValueError(
                f"{place(path, text, number)} is damaged: {line[:40]!r} is neither a comment nor a quoted text"
            )
    try:
        return polib.pofile(text.lstrip("\ufeff"), wrapwidth=0, check_for_duplicates=True)
    except (OSError, ValueError, IndexError) as error:
        said = str(error).replace(text, "").replace("\n", " ").strip()
        number = int(found[1]) if (found := re.search(r"line (\d+)", said)) else text.count("\n") + 1
        raise ValueError(f"{place(path, text, number)} is damaged: {said[-200:]}") from error


def place(path: Path, text: str, number: int) -> str:
    """The file, the line, and the entry that it belongs to."""
    before = text.splitlines()[:number]
    begins = next((index for index in reversed(range(len(before))) if before[index].startswith("msgid ")), None)
    if begins is None:
        return f"{path}, line {number}"
    quoted = [
        before[begins].removeprefix("msgid "),
        *itertools.takewhile(lambda line: line[:1] == '"', before[begins + 1 :]),
    ]
    entry = "".join(part.strip().strip('"') for part in quoted)
    return f"{path}, line {number}, of the entry {entry[:60]!r},"


def translations(path: Path) -> dict[str, str]:
    """English → Chinese: what is there and not fuzzy."""
    return {entry.msgid: entry.msgstr for entry in read_po(path) if entry.translated()}
