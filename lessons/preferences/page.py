"""report.html: tables, figures and answers to read, in one file that needs no network."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from lessons.drawing.page import folded, heading, picture, soft, table, write_page
from lessons.language.message import in_language
from lessons.language.words import say, tell
from lessons.preferences.tables import COLUMNS, TITLES, cells, judge_line, rows_by_arm

CAPTIONS = {
    "frontier": "Each line is one arm, step by step. The proxy climbs on; the gold turns over where nothing holds the policy.",
    "curves": "The same, over the steps.",
    "inside": "What one watches while PPO runs.",
    "ratios": "Only the difference is asked for: both sides may become less likely.",
    "words": "Bars are means, points are seeds.",
    "calibration": "Each point is an eighth of the held-out pairs.",
}
TITLE = "Learning from preferences"


def write_report(report: Mapping[str, Any], figures: Sequence[Path], folder: Path) -> Path:
    """Writes the page whole or not at all."""
    parts = [soft(report["command"])]
    for world in COLUMNS:
        if arms := rows_by_arm(report, world):
            headings = [in_language(name) for name in ("arm", *(title for _, title, _, _ in COLUMNS[world]))]
            body = [[escape(in_language(arm)), *cells(rows, world)] for arm, rows in arms.items()]
            judged = judge_line(arms["reference"])
            parts += [heading(say(TITLES[world])), table(headings, body), soft(judged)]
    parts += [picture(path, say(CAPTIONS[path.stem])) for path in figures]
    parts += [heading(say("Answers to read")), *(answers(row) for row in report["rows"] if row["answers"])]
    return write_page(say(TITLE), parts, folder / "report.html")


def answers(row: Mapping[str, Any]) -> str:
    shown = [
        [escape(answer["source"]), escape(answer["answer"]), f"{answer['proxy']:.2f}", f"{answer['gold']:.1f}"]
        for answer in row["answers"]
    ]
    arm, seed = escape(in_language(row["arm"])), tell("seed {seed}", seed=row["seed"])
    summary = f"<b>{say(row['world'])}, {arm}</b>, {seed}"
    headings = [say(name) for name in ("prompt", "answer", "proxy", "gold")]
    return folded(summary, table(headings, shown, "words"))
