"""report.html: the table, the figures and the words that changed, in one file that needs no network."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from lessons.compare.report import Comparison, Row
from lessons.compare.row import UNTUNED
from lessons.compare.table import COLUMNS, notes, table_rows
from lessons.drawing.page import folded, picture, soft, table, write_page
from lessons.task.dictionary import load

WORDS_SHOWN = 30
TITLE = "One base, many fine-tunings"
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
    return write_page(TITLE, content, path)


def parts(found: Comparison, rows: Sequence[Row], figures: Sequence[Path]) -> list[str]:
    """The page from top to bottom. What the models said is in `rows` alone, which report.json does not keep."""
    said = {row["method"]: row["said"] for row in reversed(rows) if "failed" not in row}
    before, best = said.pop(UNTUNED), found.best_first
    return [
        "<p>A small Transformer that learnt to pronounce American English learns British English, "
        "by every technique, from the same words in the same number of steps.</p>",
        numbers(found, best[:1]),
        "<h2>The table</h2>",
        *map(soft, notes(found)),
        table(["technique", *(heading for heading, _, _ in COLUMNS)], table_rows(found)),
        *map(failure, found.failed),
        *(picture(path, caption, title) for path in figures for title, caption in [CAPTIONS[path.stem]]),
        "<h2>Words that changed</h2>",
        soft("British words, before and after. ✓ the dictionary lists it, ✗ it does not."),
        *(changed_words(method, before, said[method], method == best[0]) for method in best),
        "<h2>This run</h2>",
        soft(" · ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.run.items() if name != "methods")),
    ]


def numbers(found: Comparison, best: Sequence[str]) -> str:
    """The four numbers to remember."""
    shown = [
        (f"{found.before['american']:.1f}%", "American word error of the base"),
        (f"{found.before['british']:.1f}%", "British word error of the base, before"),
    ]
    for method in best:
        row = found.methods[method][0]
        shown.append((f"{row['british']['word_error']:.1%}", f"British word error after {method}"))
        shown.append((f"{row['trainable_percent']:.1f}%", f"of the model is trained by {method}"))
    cells = "".join(f"<div><b>{value}</b>{escape(what)}</div>" for value, what in shown)
    return f'<div class="numbers">{cells}</div>'


def failure(row: Row) -> str:
    return f'<p class="bad">{escape(row["method"])} (seed {row["seed"]}) failed: {escape(row["failed"])}</p>'


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
    summary = (
        f"<b>{escape(method)}</b>: {len(changed)} of {len(before)} changed, {len(learnt)} learnt, {len(lost)} lost"
    )
    return folded(summary, table(("word", "dictionary", "before", "after"), rows, "words"), is_open)


def mark(said: str, word: str) -> str:
    right = said in load("british")[word]
    return f'<span class="{"good" if right else "bad"}">{escape(said)} {"✓" if right else "✗"}</span>'
