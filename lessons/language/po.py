"""The files of a translation, lessons/zh/NAME.po, read with polib: gettext's format, so that Poedit and Weblate open them."""

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


def translations(path: Path) -> dict[str, str]:
    """English → Chinese: what is there and not fuzzy."""
    return {entry.msgid: entry.msgstr for entry in read_po(path) if entry.translated()}
