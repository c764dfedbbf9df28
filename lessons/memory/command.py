"""How much memory does it take to fine-tune a model?

    python -m lessons memory --model llama-7b              every technique
    python -m lessons memory --model llama-33b --method qlora --checkpointing
                                              one: what each byte is
    python -m lessons memory --model qwen3-32b --method lora --cards 8
                                              sharded over the cards

Both draw stacked bars: every technique, or the one beside full fine-tuning and
LoRA. Into --out come memory.png and memory.json. Weights stand in 16 bits (or
in 4), adapters and the optimizer's numbers in 32. No weights are needed.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from lessons.language.options import Options
from lessons.language.words import tell
from lessons.memory.plan import Plan, Setting, plan
from lessons.memory.shapes import ARCHITECTURES
from lessons.memory.show import TOGETHER, as_json, draw, print_cards, print_plan, print_plans
from lessons.memory.tally import OPTIMIZERS
from lessons.task.outputs import out_folder
from lessons.task.techniques import add_import_option, import_techniques
from peft import RECIPES, recipe
from transformer.learning.formats import write_json

# Where there is no terminal whose width could be asked for.
LOG_WIDTH = 140
BESIDE = ("full", "lora")


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    import_techniques(options.modules)
    if options.method:
        recipe(options.method)
    console = Console()
    if not console.is_terminal:
        console = Console(width=LOG_WIDTH)
    asked = Setting(options.model, options.method or BESIDE[0], options.batch, options.length, options.checkpointing,
                    options.optimizer, options.rank, options.cards)  # fmt: skip
    if options.method:
        print_plan(plan(asked), console)
        print_cards([plan(replace(asked, cards=cards)) for cards in sorted({*TOGETHER, options.cards})], console)
    methods = [*dict.fromkeys([*BESIDE, options.method])] if options.method else list(RECIPES)
    plans, refused = plans_of(methods, asked)
    if not options.method:
        print_plans(plans, refused, console)
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(options.out / "memory.json", as_json(plans, refused))
    drawn = draw(plans, options.out / "memory.png")
    console.print(tell("drew {file}; the numbers are in memory.json beside it", file=drawn))
    return 0


def plans_of(methods: list[str], asked: Setting) -> tuple[list[Plan], dict[str, str]]:
    """The plan of every technique that has a place in the model, and why the others have none."""
    plans, refused = [], {}
    for method in methods:
        ranked = asked.rank if "r" in RECIPES[method].config_class.__dataclass_fields__ else None
        try:
            plans.append(plan(replace(asked, method=method, rank=ranked)))
        except ValueError as error:
            refused[method] = f"{method}: {error}"
    return plans, refused


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Options("memory", __doc__)
    parser.add_argument(
        "--model", metavar="NAME", default="llama-7b", help=f"one of {', '.join(ARCHITECTURES)} (default llama-7b)"
    )
    parser.add_argument("--method", metavar="NAME", help=f"one of {', '.join(RECIPES)} (default: compare all of them)")
    parser.add_argument("--batch", type=int, metavar="N", default=1, help="sequences in a batch (default 1)")
    parser.add_argument("--length", type=int, metavar="N", default=512, help="tokens in a sequence (default 512)")
    parser.add_argument(
        "--checkpointing", action="store_true", help="compute the inside of a layer again, and keep less"
    )
    parser.add_argument(
        "--optimizer", metavar="NAME", default="adamw", help=f"one of {', '.join(OPTIMIZERS)} (default adamw)"
    )
    parser.add_argument(
        "--rank", type=int, metavar="N", help="the rank of LoRA and its relatives (default: the recipe's, 8)"
    )
    parser.add_argument("--cards", type=int, metavar="N", default=1, help="cards that share the model (default 1)")
    parser.add_argument("--out", type=out_folder, default=Path("runs/memory"), help="folder (default runs/memory)")
    add_import_option(parser)
    return parser.parse_args(arguments)
