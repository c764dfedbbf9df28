"""What four bits cost and what they save: the tables of quant/README.md.

    python -m lessons.memory.four_bits        prints them as Markdown

The errors are those of the kept full run (lessons/results/report.json), the gigabytes those of the planner, with
checkpointing, a batch of one and 512 tokens.
"""

from collections.abc import Mapping
from typing import Any

from lessons.compare.kept import kept_report
from lessons.compare.report import by_method, errors_of
from lessons.drawing.grids import as_markdown
from lessons.drawing.means import shown
from lessons.memory.plan import Setting, plan

BASES = {"lora": "32 bits", "qlora": "NF4", "lora_fp4": "FP4", "lora_int4": "INT4"}
MODELS = ("llama-7b", "llama-13b", "llama-33b", "llama-65b")
METHODS = ("full", "lora", "qlora")
HEADINGS = ("base in", "American WER of the base alone", "British WER, with LoRA on it", "American WER, with it")


def word_errors(report: Mapping[str, Any]) -> str:
    """Word errors in per cent: of the base as it was prepared, and after LoRA has learnt British English on it."""
    methods = by_method(report)
    lines = []
    for method, base in BASES.items():
        rows = methods[method]
        alone: dict[str, float] = rows[0].get("base_american") or rows[0]["american_disabled"]
        tuned = [shown(errors_of(rows, accent, "word_error")) for accent in ("british", "american")]
        lines.append([f"{base} (`{method}`)", f"{100 * alone['word_error']:.1f}", *tuned])
    return as_markdown([HEADINGS, *lines])


def memory() -> str:
    """Gigabytes (10⁹ bytes) of a training step."""
    lines = [["", *(f"`{method}`" for method in METHODS)]]
    for model in MODELS:
        totals = [plan(Setting(model, method, checkpointing=True)).total / 10**9 for method in METHODS]
        lines.append([model, *(f"{total:.1f}" for total in totals)])
    return as_markdown(lines)


if __name__ == "__main__":
    print(word_errors(kept_report()), memory(), sep="\n\n")
