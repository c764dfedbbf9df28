"""The table of README, made from the kept full run.

python -m lessons compare --seeds 3 --test-words all     made lessons/results/report.json
python -m lessons.compare.readme_table                           prints it as Markdown
"""

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

REPORT = Path(__file__).parent.parent / "results" / "report.json"
HEAD = (
    "| technique | trainable | % | adapter KB | British PER | British WER | American PER | American WER |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|"
)


def table(report: dict[str, Any]) -> str:
    """One line for the base and one for each technique, errors in per cent as mean ± sd over the seeds."""
    base = report["base"]
    lines = [HEAD, f"| the base, untouched | | | | {' | '.join(percent([e]) for e in errors(base))} |"]
    methods = dict.fromkeys(row["method"] for row in report["rows"])
    for method in methods:
        rows = [row for row in report["rows"] if row["method"] == method]
        first = rows[0]
        size = f"{first['trainable_parameters']:,} | {first['trainable_percent']:.2f}"
        columns = zip(*(errors(row) for row in rows), strict=True)
        measured = " | ".join(percent(column) for column in columns)
        lines.append(f"| `{method}` | {size} | {first['adapter_bytes'] / 1000:,.0f} | {measured} |")
    return "\n".join(lines)


def errors(row: dict[str, Any]) -> list[float]:
    return [row[accent][kind] for accent in ("british", "american") for kind in ("phoneme_error", "word_error")]


def percent(values: Iterable[float]) -> str:
    shares = [100 * value for value in values]
    mean = f"{statistics.mean(shares):.1f}"
    return f"{mean} ± {statistics.stdev(shares):.1f}" if len(shares) > 1 else mean


if __name__ == "__main__":
    print(table(json.loads(REPORT.read_text(encoding="utf-8"))))
