"""After a supervised adapter: what do preferences and a rule add?

    python -m lessons chat --preferences             both tasks, some minutes
    python -m lessons chat --preferences --quick     a few steps: does it run?
    python -m lessons chat --preferences --tasks spelling

Sentiment goes on with DPO on people's preferences, spelling with GRPO on the
rule that checks an answer. Beside each stands the same number of further
supervised steps. Into --out comes preferences.json.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from lessons.chat.comparing.forgetting import own_answers
from lessons.chat.comparing.items import TASKS
from lessons.chat.comparing.row import model_file
from lessons.chat.preferring.arms import Amounts, run_task
from lessons.chat.preferring.table import lines_of, told
from lessons.drawing.grids import as_text
from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.task.machine import set_threads
from lessons.task.outputs import out_folder
from transformer.learning.formats import write_json

QUICK = {"steps": 2, "dpo_steps": 2, "grpo_steps": 2, "items": 4, "pairs": 2, "prompts": 2, "group": 2} | {
    "max_new_tokens": 8
}


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    threads = set_threads()
    amounts = Amounts(**{**(QUICK if options.quick else {}), "seed": options.seed})
    model, console = model_file(str(options.model or "")), Console(width=200)
    options.out.mkdir(parents=True, exist_ok=True)
    answers = own_answers(options.out, model)
    run = asdict(amounts) | {"model": str(options.model or "SmolLM2-135M-Instruct, Q4_1"), "threads": threads}
    report: dict[str, Any] = {"run": run, "tasks": {}}
    for task in options.tasks:
        arms = report["tasks"][task] = run_task(task, model, amounts, answers, said)
        write_json(options.out / "preferences.json", report)
        cells = [[in_language(cell) for cell in line] for line in lines_of(arms, task)]
        console.print(as_text(cells), highlight=False, markup=False)
        for name in ("dpo", "grpo"):
            if name in arms:
                console.print(in_language(told(name, arms[name])), highlight=False)
    print(options.out / "preferences.json")
    return 0


def said(line: str) -> None:
    """How far it is, in the language that is spoken."""
    print(in_language(line))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Options("chat", __doc__)
    parser.add_argument("--preferences", action="store_true", help="what this is")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS, metavar="TASK", help="default: both")
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK['steps']} steps, {QUICK['items']} items of each kind"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (default: 0)")
    parser.add_argument(
        "--out", type=out_folder, default=Path("runs/chat-preferences"), help="default: runs/chat-preferences"
    )
    parser.add_argument("--model", type=Path, metavar="DIR|FILE.gguf", help="another model than SmolLM2")
    return parser.parse_args(arguments)
