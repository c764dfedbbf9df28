"""report.html: the table, the figures and the words that changed, in one file that needs no network."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from lessons.compare.report import COLUMNS, Row, notes, table_rows
from lessons.compare.row import BASE
from lessons.task.dictionary import load
from transformer.learning.checkpoint import write_bytes

WORDS_SHOWN = 30
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
STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5b6470; --paper: #ffffff; --card: #f5f6f8;
        --line: #dfe3e8; --good: #00694d; --bad: #b34700; --accent: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a5adb8; --paper: #15181c; --card: #1f2329;
        --line: #353b44; --good: #4cc9a0; --bad: #ff9a57; --accent: #6cb8ea; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1.5rem 1rem 4rem; color: var(--ink); background: var(--paper);
       font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .4rem; }
p { margin: .3rem 0; } .soft { color: var(--soft); font-size: .9rem; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin: 1.2rem 0; }
.numbers div { background: var(--card); border-radius: .6rem; padding: .8rem 1rem; }
.numbers b { display: block; font-size: 1.6rem; line-height: 1.2; color: var(--accent); }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .6rem; margin: .8rem 0; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: .86rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .5rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { vertical-align: bottom; white-space: normal; min-width: 3.8rem; line-height: 1.25; font-size: .8rem; font-weight: 600; background: var(--card); }
th:first-child, td:first-child { position: sticky; left: 0; text-align: left; background: var(--paper); font-weight: 600; }
th:first-child { background: var(--card); } tr:last-child td { border-bottom: 0; }
.words td, .words th { text-align: left; } .words td:not(:first-child) { font-size: 1rem; }
.good { color: var(--good); } .bad { color: var(--bad); }
figure { margin: .8rem 0; } img { width: 100%; height: auto; background: #fff; border-radius: .6rem; display: block; }
figcaption { color: var(--soft); font-size: .9rem; margin-top: .4rem; }
details { border-bottom: 1px solid var(--line); padding: .4rem 0; } summary { cursor: pointer; }
"""


def write_page(report: Mapping[str, Any], rows: Sequence[Row], figures: Sequence[Path], path: Path) -> Path:
    """Writes the page whole or not at all."""
    write_bytes(path, page(report, rows, figures).encode())
    return path


def page(report: Mapping[str, Any], rows: Sequence[Row], figures: Sequence[Path]) -> str:
    said = {row["method"]: row["said"] for row in reversed(rows) if "failed" not in row}
    before = said.pop(BASE)
    parts = [
        "<h1>One base, many fine-tunings</h1>",
        "<p>A small Transformer that learnt to pronounce American English learns British English, "
        "by every technique, from the same words in the same number of steps.</p>",
        numbers(report),
        "<h2>The table</h2>",
        *(f'<p class="soft">{escape(note)}</p>' for note in notes(report)),
        table(["technique", *(heading for heading, _, _ in COLUMNS)], table_rows(report)),
        *failures(report),
        *(figure(path) for path in figures),
        "<h2>Words that changed</h2>",
        '<p class="soft">British words, before and after. ✓ the dictionary lists it, ✗ it does not.</p>',
        *(changed_words(method, before, said[method], index == 0) for index, method in enumerate(best_first(report))),
        "<h2>This run</h2>",
        f'<p class="soft">{escape(" · ".join(f"{name} {value}" for name, value in described(report)))}</p>',
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>One base, many fine-tunings</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def numbers(report: Mapping[str, Any]) -> str:
    base, best = report["base"], best_first(report)[:1]
    shown = [
        (f"{base['american']['word_error']:.1%}", "American word error of the base"),
        (f"{base['british']['word_error']:.1%}", "British word error of the base, before"),
    ]
    for method in best:
        row = next(row for row in report["rows"] if row["method"] == method)
        shown.append((f"{row['british']['word_error']:.1%}", f"British word error after {method}"))
        shown.append((f"{row['trainable_percent']:.1f}%", f"of the model is trained by {method}"))
    cells = "".join(f"<div><b>{value}</b>{escape(what)}</div>" for value, what in shown)
    return f'<div class="numbers">{cells}</div>'


def best_first(report: Mapping[str, Any]) -> list[str]:
    ordered = sorted(report["rows"], key=lambda row: row["british"]["word_error"])
    return list(dict.fromkeys(row["method"] for row in ordered))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """Cells are escaped unless they are marked up already, as `mark` does it."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n" for cells in rows)
    return (
        f'<div class="wide"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>'
    )


def figure(path: Path) -> str:
    title, caption = CAPTIONS[path.stem]
    data = base64.b64encode(path.read_bytes()).decode()
    image = f'<img alt="{escape(title)}: {escape(caption)}" src="data:image/png;base64,{data}">'
    return f"<h2>{escape(title)}</h2>\n<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


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
    content = table(("word", "dictionary", "before", "after"), rows, "words")
    return f"<details{' open' if is_open else ''}><summary>{summary}</summary>{content}</details>"


def mark(said: str, word: str) -> str:
    right = said in load("british")[word]
    return f'<span class="{"good" if right else "bad"}">{escape(said)} {"✓" if right else "✗"}</span>'


def failures(report: Mapping[str, Any]) -> list[str]:
    return [
        f'<p class="bad">{escape(row["method"])} (seed {row["seed"]}) failed: {escape(row["failed"])}</p>'
        for row in report["failed"]
    ]


def described(report: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name.replace("_", " "), value) for name, value in report["run"].items() if name != "methods"]
