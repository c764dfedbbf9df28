"""report.html: the table, the figures and the words that changed, in one file that needs no network."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from lessons.compare.report import Comparison, Row
from lessons.compare.row import UNTUNED
from lessons.compare.table import COLUMNS, notes, table_rows
from lessons.drawing.page import bad, folded, heading, numbers, paragraph, picture, soft, table, write_page
from lessons.language.message import in_language
from lessons.language.words import say, tell
from lessons.task.dictionary import load

WORDS_SHOWN = 30
TITLE = "One base, many fine-tunings"
WHAT = (
    "A small Transformer that learnt to pronounce American English learns British English, "
    "by every technique, from the same words in the same number of steps."
)
CAPTIONS = {
    "errors": ("Before and after", "Every bar starts at the base and ends at the technique."),
    "parameters": ("The price", "Fewer trained parameters lie to the left, fewer wrong words below."),
    "forgetting": (
        "Forgetting",
        "While an adapter is on, American gets worse; switched off, its base is back exactly, a 4-bit one as it was in 4 bits.",
    ),
    "learning": ("Learning curves", "Each panel shows one family; the others lie in grey behind it."),
    "attention": ("Letters and sounds", "Dark cells: the letters that the model looks at while it says a sound."),
}


def write_report(found: Comparison, rows: Sequence[Row], figures: Sequence[Path], path: Path) -> Path:
    """Writes the page whole or not at all."""
    content = parts(found, rows, figures)
    return write_page(say(TITLE), content, path)


def parts(found: Comparison, rows: Sequence[Row], figures: Sequence[Path]) -> list[str]:
    """The page from top to bottom. What the models said is in `rows` alone, which report.json does not keep."""
    said = {row["method"]: row["said"] for row in reversed(rows) if "failed" not in row}
    before, best = said.pop(UNTUNED), found.best_first
    headings = [say(name) for name in ("technique", *(name for name, _, _ in COLUMNS))]
    return [
        paragraph(say(WHAT)),
        numbers(remembered(found, best[:1])),
        heading(say("The table")),
        *(soft(in_language(note)) for note in notes(found)),
        table(headings, [[in_language(cell) for cell in cells] for cells in table_rows(found)]),
        *(bad(in_language(f"{row['method']} (seed {row['seed']}) failed: {row['failed']}")) for row in found.failed),
        *(picture(path, say(caption), say(title)) for path in figures for title, caption in [CAPTIONS[path.stem]]),
        heading(say("Words that changed")),
        soft(say("British words, before and after. ✓ the dictionary lists it, ✗ it does not.")),
        *(changed_words(method, before, said[method], method == best[0]) for method in best),
        heading(say("This run")),
        soft(run_line({name: value for name, value in found.run.items() if name != "methods"})),
    ]


def run_line(run: Mapping[str, Any]) -> str:
    """What was run, and where, on one line."""
    return " · ".join(f"{say(name.replace('_', ' '))} {in_language(str(value))}" for name, value in run.items())


def remembered(found: Comparison, best: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The four numbers to remember."""
    yield f"{found.before['american']:.1f}%", say("American word error of the base")
    yield f"{found.before['british']:.1f}%", say("British word error of the base, before")
    for method in best:
        row = found.methods[method][0]
        yield f"{row['british']['word_error']:.1%}", tell("British word error after {method}", method=method)
        yield f"{row['trainable_percent']:.1f}%", tell("of the model is trained by {method}", method=method)


def changed_words(method: str, before: Mapping[str, str], after: Mapping[str, str], is_open: bool) -> str:
    """The words that a technique says otherwise than the base: first those it learnt."""
    dictionary = load("british")
    changed = [word for word in before if after[word] != before[word]]
    learnt = [word for word in changed if after[word] in dictionary[word]]
    lost = [word for word in changed if before[word] in dictionary[word]]
    shown = (learnt + [word for word in changed if word not in set(learnt)])[:WORDS_SHOWN]
    rows = [
        [escape(word), escape(dictionary[word][0]), mark(before[word], word), mark(after[word], word)] for word in shown
    ]
    counts = in_language(f"{len(changed)} of {len(before)} changed, {len(learnt)} learnt, {len(lost)} lost")
    headings = [say(name) for name in ("word", "dictionary", "before", "after")]
    return folded(f"<b>{escape(method)}</b>: {escape(counts)}", table(headings, rows, "words"), is_open)


def mark(said: str, word: str) -> str:
    right = said in load("british")[word]
    return f'<span class="{"good" if right else "bad"}">{escape(said)} {"✓" if right else "✗"}</span>'
