"""The kept full run, on all held-out words and several seeds: what README and the lessons speak of.

python -m lessons compare --seeds 5 --test-words all --out runs/kept
python -m lessons.compare.shipping runs/kept    made lessons/results/report.json
python -m lessons.compare.kept                  prints its table
python -m lessons.compare.kept --main           the base and one technique of each kind
python -m lessons.compare.kept --others         all that --main leaves out, to be folded away
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from lessons.compare.report import ACCENTS, Row, by_method, errors_of, prepared_bases
from lessons.compare.table import KINDS
from lessons.drawing.grids import as_markdown
from lessons.drawing.means import shown

REPORT = Path(__file__).parent.parent / "results" / "report.json"
HEADINGS = (
    "technique", "trainable", "%", "adapter KB", "British PER", "British WER", "American PER", "American WER"
)  # fmt: skip
MAIN = ("full", "lora", "qlora", "adapter_houlsby", "prefix_tuning", "prompt_tuning")
"""One of each kind, those that a reader has heard of: the six lines below the base in README's first table."""


@cache
def kept_report() -> dict[str, Any]:
    report: dict[str, Any] = json.loads(REPORT.read_text(encoding="utf-8"))
    return report


def markdown(report: Mapping[str, Any]) -> str:
    """A line for the base, for the base in 4 bits, and for each technique; errors in per cent, mean ± sd over the seeds."""
    return as_markdown([HEADINGS, base_line(report), *prepared_lines(report), *technique_lines(report)])


def main_table(report: Mapping[str, Any]) -> str:
    """The base and the techniques of MAIN."""
    return as_markdown([HEADINGS, base_line(report), *(line for line in technique_lines(report) if is_main(line))])


def other_table(report: Mapping[str, Any]) -> str:
    """What `main_table` leaves out."""
    others = [line for line in technique_lines(report) if not is_main(line)]
    return as_markdown([HEADINGS, *prepared_lines(report), *others])


def is_main(line: Sequence[str]) -> bool:
    return line[0].strip("`") in MAIN


def base_line(report: Mapping[str, Any]) -> list[str]:
    return ["the base, untouched", "", "", "", *errors([report["base"]])]


def prepared_lines(report: Mapping[str, Any]) -> list[list[str]]:
    """The base in 4 bits, before any adapter."""
    return [
        [f"the base of `{method}`, in 4 bits", "", "", "", *errors([row], "base_")]
        for method, row in prepared_bases(by_method(report)).items()
    ]


def technique_lines(report: Mapping[str, Any]) -> list[list[str]]:
    lines = []
    for method, rows in by_method(report).items():
        first = rows[0]
        trained = [f"{first['trainable_parameters']:,}", f"{first['trainable_percent']:.2f}"]
        lines.append([f"`{method}`", *trained, f"{first['adapter_bytes'] / 1000:,.0f}", *errors(rows)])
    return lines


def errors(rows: Sequence[Row], before: str = "") -> list[str]:
    return [shown(errors_of(rows, f"{before}{accent}", kind)) for accent in ACCENTS for kind in KINDS]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m lessons.compare.kept", description="The kept run's table.")
    which = parser.add_mutually_exclusive_group()
    for name, table in (("--main", main_table), ("--others", other_table)):
        which.add_argument(name, dest="table", action="store_const", const=table, default=markdown, help=table.__doc__)
    print(parser.parse_args(arguments).table(kept_report()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
