"""What four bits cost and what they save: the tables of quant/README.md.

    python -m lessons.memory.four_bits        prints them as Markdown

The errors are those of the kept full run (lessons/results/report.json), the gigabytes those of the planner, with
checkpointing, a batch of one and 512 tokens.
"""

import json
from collections.abc import Mapping
from typing import Any

from lessons.compare.readme_table import REPORT, percent
from lessons.memory.plan import Setting, plan

BASES = {"lora": "32 bits", "qlora": "NF4", "lora_fp4": "FP4", "lora_int4": "INT4"}
MODELS = ("llama-7b", "llama-13b", "llama-33b", "llama-65b")
METHODS = ("full", "lora", "qlora")
ERRORS_HEAD = "| base in | American WER of the base alone | British WER, with LoRA on it | American WER, with it |\n|---|---:|---:|---:|"


def errors(report: Mapping[str, Any]) -> str:
    """Word errors in per cent: of the base as it was prepared, and after LoRA has learnt British English on it."""
    lines = [ERRORS_HEAD]
    for method, base in BASES.items():
        rows = [row for row in report["rows"] if row["method"] == method]
        alone = percent([row.get("base_american", row["american_disabled"])["word_error"] for row in rows[:1]])
        tuned = [percent(row[accent]["word_error"] for row in rows) for accent in ("british", "american")]
        lines.append(f"| {base} (`{method}`) | {alone} | {' | '.join(tuned)} |")
    return "\n".join(lines)


def memory() -> str:
    """Gigabytes (10⁹ bytes) of a training step."""
    lines = [f"| | {' | '.join(f'`{method}`' for method in METHODS)} |", f"|---|{'---:|' * len(METHODS)}"]
    for model in MODELS:
        totals = [plan(Setting(model, method, checkpointing=True)).total / 10**9 for method in METHODS]
        lines.append(f"| {model} | {' | '.join(f'{total:.1f}' for total in totals)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(errors(json.loads(REPORT.read_text(encoding="utf-8"))), memory(), sep="\n\n")
