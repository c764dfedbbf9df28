"""report.html: tables, figures and answers to read, in one file that needs no network."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from lessons.compare.page import STYLE, table
from lessons.preferences.tables import COLUMNS, TITLES, cells, judge_line, rows_by_arm
from transformer.learning.checkpoint import write_bytes

CAPTIONS = {
    "frontier": "Each line is one arm, step by step. The proxy climbs on; the gold turns over where nothing holds the policy.",
    "curves": "The same, over the steps.",
    "inside": "What one watches while PPO runs.",
    "ratios": "Only the difference is asked for: both sides may become less likely.",
    "words": "Bars are means, points are seeds.",
    "calibration": "Each point is an eighth of the held-out pairs.",
}
TITLE = "Learning from preferences"


def write_page(report: Mapping[str, Any], figures: Sequence[Path], folder: Path) -> Path:
    """Writes the page whole or not at all."""
    parts = [f"<h1>{TITLE}</h1>", f'<p class="soft">{escape(report["command"])}</p>']
    for world in COLUMNS:
        if arms := rows_by_arm(report, world):
            headings = ["arm", *(title for _, title, _, _ in COLUMNS[world])]
            body = [[escape(arm), *cells(rows, world)] for arm, rows in arms.items()]
            parts += [f"<h2>{escape(TITLES[world])}</h2>", table(headings, body)]
            parts += [f'<p class="soft">{escape(judge_line(arms["reference"]))}</p>']
    parts += [picture(path) for path in figures]
    parts += ["<h2>Answers to read</h2>", *(answers(row) for row in report["rows"] if row["answers"])]
    head = f'<meta charset="utf-8"><title>{TITLE}</title><style>{STYLE}</style>'
    path = folder / "report.html"
    write_bytes(
        path, f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'.encode()
    )
    return path


def picture(path: Path) -> str:
    caption = escape(CAPTIONS[path.stem])
    data = base64.b64encode(path.read_bytes()).decode()
    image = f'<img alt="{caption}" src="data:image/png;base64,{data}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def answers(row: Mapping[str, Any]) -> str:
    shown = [
        [escape(answer["source"]), escape(answer["answer"]), f"{answer['proxy']:.2f}", f"{answer['gold']:.1f}"]
        for answer in row["answers"]
    ]
    summary = f"<b>{escape(row['world'])}, {escape(row['arm'])}</b>, seed {row['seed']}"
    return (
        f"<details><summary>{summary}</summary>{table(('prompt', 'answer', 'proxy', 'gold'), shown, 'words')}</details>"
    )
