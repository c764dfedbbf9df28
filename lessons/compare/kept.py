"""The kept full run, on all held-out words and several seeds: what README and the lessons speak of.

python -m lessons compare --seeds 3 --test-words all     made lessons/results/report.json
python -m lessons.compare.kept                           prints its table, as it stands in README
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from lessons.compare.report import ACCENTS, Row, by_method, errors_of
from lessons.compare.table import KINDS
from lessons.drawing.grids import as_markdown
from lessons.drawing.means import shown

REPORT = Path(__file__).parent.parent / "results" / "report.json"
HEADINGS = (
    "technique", "trainable", "%", "adapter KB", "British PER", "British WER", "American PER", "American WER"
)  # fmt: skip


@cache
def kept_report() -> dict[str, Any]:
    report: dict[str, Any] = json.loads(REPORT.read_text(encoding="utf-8"))
    return report


def markdown(report: Mapping[str, Any]) -> str:
    """One line for the base and one for each technique, errors in per cent as mean ± sd over the seeds."""
    lines = [["the base, untouched", "", "", "", *errors([report["base"]])]]
    for method, rows in by_method(report).items():
        first = rows[0]
        trained = [f"{first['trainable_parameters']:,}", f"{first['trainable_percent']:.2f}"]
        lines.append([f"`{method}`", *trained, f"{first['adapter_bytes'] / 1000:,.0f}", *errors(rows)])
    return as_markdown([HEADINGS, *lines])


def errors(rows: Sequence[Row]) -> list[str]:
    return [shown(errors_of(rows, accent, kind)) for accent in ACCENTS for kind in KINDS]


if __name__ == "__main__":
    print(markdown(kept_report()))
