"""A page as one file that needs no network: its style, and a table, a figure and the whole as HTML."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from lessons.language.choice import CHINESE, language
from transformer.learning.formats import write_bytes

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


def write_page(title: str, parts: Iterable[str], path: Path) -> Path:
    """Writes the page whole or not at all, as one in the language that is spoken."""
    body = "\n".join([f"<h1>{escape(title)}</h1>", *parts])
    of = "zh-CN" if language() == CHINESE else "en"
    write_bytes(
        path,
        (
            f'<!doctype html>\n<html lang="{of}">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
        ).encode(),
    )
    return path


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """The headings are escaped here, the cells by who makes them: a cell may be marked up."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n" for cells in rows)
    return (
        f'<div class="wide"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>'
    )


def picture(path: Path, caption: str, title: str = "") -> str:
    """The PNG file inside the page, its caption below it and its title above."""
    said = escape(f"{title}: {caption}" if title else caption)
    data = base64.b64encode(path.read_bytes()).decode()
    heading = f"<h2>{escape(title)}</h2>\n" if title else ""
    image = f'<img alt="{said}" src="data:image/png;base64,{data}">'
    return f"{heading}<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def numbers(shown: Iterable[tuple[str, str]]) -> str:
    """The numbers to remember, large, and what each is."""
    cells = "".join(f"<div><b>{value}</b>{escape(what)}</div>" for value, what in shown)
    return f'<div class="numbers">{cells}</div>'


def bad(text: str) -> str:
    return f'<p class="bad">{escape(text)}</p>'


def soft(text: str) -> str:
    """A line in small letters."""
    return f'<p class="soft">{escape(text)}</p>'


def folded(summary: str, content: str, is_open: bool = False) -> str:
    """Markup that opens at a click on its summary, which is markup too."""
    return f"<details{' open' if is_open else ''}><summary>{summary}</summary>{content}</details>"
