"""The course in Chinese: its texts as gettext entries in lessons/zh/.

    python -m lessons translate update     take over what is new in English
    python -m lessons translate check      what is missing, fuzzy or unequal
    python -m lessons translate status     how far each file is
    python -m lessons translate build      README.zh.md and the notebooks in
                                           lessons/notebooks/zh/

`update` changes no translation: an entry whose English was edited becomes
fuzzy, with the old text beside it.
"""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from lessons.drawing.chinese import lacking
from lessons.language.options import Options
from lessons.language.outputs import OUTPUTS
from lessons.translate.assemble import build
from lessons.translate.checks import complaints
from lessons.translate.po import ZH, po_of, read_po, translations, update, write_po
from lessons.translate.seen import old_pictures
from lessons.translate.texts import names, texts

MOST_SHOWN = 40


def main(arguments: list[str]) -> int:
    """0 when all went well; 1 when `check` found something."""
    parser = Options("translate", __doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("names", nargs="*", metavar="NAME", help="13_lora, README, course, exercises (default: all)")
    options = parser.parse_args(arguments)
    known = names()
    if unknown := [name for name in options.names if name not in known]:
        raise ValueError(f"nothing is named {', '.join(unknown)}; there are {', '.join(known)}")
    return TASKS[options.task](options.names or known)


def run_update(chosen: Sequence[str]) -> int:
    memory = {english: said for name in names() for english, said in translations(po_of(name)).items()}
    for name in chosen:
        write_po(update(read_po(po_of(name)), texts(name), memory), po_of(name))
    print(f"{len(chosen)} files in {ZH} hold what is asked for")
    return 0


def run_check(chosen: Sequence[str]) -> int:
    found = [line for name in chosen for line in problems(name)]
    for line in found[:MOST_SHOWN]:
        print(line)
    if len(found) > MOST_SHOWN:
        print(f"and {len(found) - MOST_SHOWN} more")
    print(f"{len(found)} problems in {len(chosen)} files")
    return int(bool(found))


def problems(name: str) -> list[str]:
    """Missing, fuzzy and obsolete entries of a file, those out of step with the English, and unequal ones; each names its line."""
    path = po_of(name)
    kept = read_po(path)
    wanted = {text.english for text in texts(name)}
    held = {entry.msgid for entry in kept if not entry.obsolete}
    found = [f"{path.name}: no entry for {short(text)}; `translate update` makes it" for text in sorted(wanted - held)]
    for entry in kept:
        where = f"{path.name}:{entry.linenum or '?'}: {short(entry.msgid)}"
        if entry.obsolete or entry.msgid not in wanted:
            found.append(f"{where} is obsolete: take it out")
        elif "fuzzy" in entry.flags:
            found.append(f"{where} is fuzzy: its English was edited")
        elif not entry.msgstr:
            found.append(f"{where} has no Chinese")
        else:
            found += [f"{where}: {said}" for said in complaints(entry.msgid, entry.msgstr)]
            if name == OUTPUTS and (letters := lacking(entry.msgstr)):
                found.append(
                    f"{where}: the figures' font has no {' '.join(letters)}: `python -m lessons.data.font` takes them in"
                )
    return found + list(old_pictures(translations(path).get) if name == OUTPUTS else ())


def short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 60 else line[:57] + "...")


def run_status(chosen: Sequence[str]) -> int:
    table = Table("file", "entries", "translated", "fuzzy", "missing", "%")
    sums = [0, 0, 0, 0]
    for name in chosen:
        row = counts(name)
        sums = [total + part for total, part in zip(sums, row, strict=True)]
        table.add_row(name, *map(str, row), f"{100 * row[1] / max(row[0], 1):.0f}")
    table.add_row("all", *map(str, sums), f"{100 * sums[1] / max(sums[0], 1):.0f}")
    Console().print(table)
    return 0


def counts(name: str) -> list[int]:
    """Of one file: what English asks for, and of it what is translated, fuzzy and missing."""
    wanted = {text.english for text in texts(name)}
    kept = {entry.msgid: entry for entry in read_po(po_of(name)) if not entry.obsolete}
    done = sum(name in kept and kept[name].translated() for name in wanted)
    fuzzy = sum(name in kept and "fuzzy" in kept[name].flags for name in wanted)
    return [len(wanted), done, fuzzy, len(wanted) - done - fuzzy]


def run_build(chosen: Sequence[str]) -> int:
    for name in chosen:
        build(name)
    return 0


TASKS = {"update": run_update, "check": run_check, "status": run_status, "build": run_build}
