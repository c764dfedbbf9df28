"""Keeping a full run: its report and figures go into lessons/results, its adapters into lessons/adapters/british.

    python -m lessons compare --seeds 5 --test-words all --out runs/kept
    python -m lessons.compare.shipping runs/kept

The adapters are those of seed 0, but for full fine-tuning's, which is as large as the base.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

from lessons.compare.kept import REPORT
from lessons.task.base import base_hash
from lessons.task.shipped import adapters_folder
from lessons.task.techniques import SCRATCH
from transformer.learning.formats import read_json

TOO_LARGE = ("full", SCRATCH)


def ship(run: Path, results: Path, adapters: Path) -> list[str]:
    """Copies a run and says which adapters went with it. Raises ValueError for a run that README may not speak of."""
    report = read_json(run / "report.json")
    if problem := unfit(report):
        raise ValueError(f"{run} is not kept: {problem}")
    for file in [run / "report.json", *run.glob("*.png")]:
        shutil.copy(file, results / file.name)
    methods = [name for name in dict.fromkeys(row["method"] for row in report["rows"]) if name not in TOO_LARGE]
    for method in methods:
        shutil.rmtree(adapters / method, ignore_errors=True)
        shutil.copytree(run / "adapters" / f"{method}-0", adapters / method)
    return methods


def unfit(report: dict[str, Any]) -> str:
    """Why a run cannot be the kept one; empty when it can."""
    run = report["run"]
    if run["base"] != base_hash():
        return f"it is of the base {run['base']}, and the shipped one is {base_hash()}"
    if run["test_words"] != "all":
        return f"it was tested on {run['test_words']} words; --test-words all"
    if report["failed"]:
        return "these rows failed: " + ", ".join(f"{row['method']} (seed {row['seed']})" for row in report["failed"])
    return ""


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        raise ValueError("usage: python -m lessons.compare.shipping RUN, a folder that compare made")
    shipped = ship(Path(arguments[0]), REPORT.parent, adapters_folder() / "british")
    print(f"kept report and figures in {REPORT.parent}, and the adapters of {', '.join(shipped)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
