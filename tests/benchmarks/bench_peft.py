"""What the techniques cost: a training step of each, switching among 100 adapters, a mixed batch.

    python -m tests.benchmarks.bench_peft [--rounds N] [--methods lora dora ...]

Forward and backward on the base's size; the optimizer is left out, since its work falls with the parameters. A frozen
base needs no gradient for its weights, so a technique can be faster than full fine-tuning. Programs run by turns.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from lessons.task.finetuning import adapted
from lessons.task.machine import bf16_pays
from peft import RECIPES, LoraConfig, PeftModel
from peft.frame.layers import UpLinear
from tests.benchmarks.timing import by_turns, machine, milliseconds, ratio
from transformer import label_smoothed_cross_entropy

ROWS, SOURCE, TARGET = 300, 9, 10
LIMIT = 1.15
MORE_BY_MATHEMATICS = {
    "dora": "the norm of every changed column",
    "pissa": "two low-rank products, that of now and that of the start",
    "p_tuning": "the LSTM, and longer inputs",
    "prompt_tuning": "longer inputs",
    "vera": "rank 32 instead of 8",
} | dict.fromkeys(("qlora", "lora_fp4", "lora_int4"), "weights restored from four bits, forward and backward")


def batch(model: PeftModel, rows: int = ROWS) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    vocab = model.config.vocab_size
    return tuple(torch.randint(3, vocab, (rows, length), generator=generator) for length in (SOURCE, TARGET, TARGET))


def step(model: PeftModel, precision: str) -> Callable[[], None]:
    """Forward, loss and backward."""
    source, inputs, labels = batch(model)
    model.train()

    def once() -> None:
        model.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = model(source, inputs)
        label_smoothed_cross_entropy(logits, labels).backward()

    return once


def bench_steps(methods: list[str], rounds: int) -> Table:
    precision = "bf16" if bf16_pays(torch.device("cpu")) else "fp32"
    table = Table(
        title=f"Forward and backward, {ROWS} × {SOURCE} + {TARGET}, {precision}", caption="× full fine-tuning"
    )
    for header in ("technique", "ms", "ratio", "where more is asked for"):
        table.add_column(header, justify="right" if header in ("ms", "ratio") else "left")
    full = step(adapted("full"), precision)
    for method in methods:
        took = by_turns({"full": full, method: step(adapted(method), precision)}, rounds)
        found = ratio(took, method, "full")
        reason = MORE_BY_MATHEMATICS.get(method, "?") if found > LIMIT else ""
        table.add_row(method, f"{milliseconds(took, method):.0f}", f"{found:.2f}", reason)
    return table


def bench_up(rounds: int, rank: int = 8) -> str:
    """Forward and backward of B alone, as LoRA calls it and as a plain nn.Linear, on the rows of the steps above."""
    rows, d_out = ROWS * (SOURCE + TARGET) // 2, 128
    thin = torch.randn(rows, rank, requires_grad=True)
    layers = {"ours": UpLinear(rank, d_out, bias=False), "nn.Linear": torch.nn.Linear(rank, d_out, bias=False)}
    gradient = torch.randn(rows, d_out)

    def once(layer: torch.nn.Linear) -> None:
        torch.autograd.grad(layer(thin), [thin, layer.weight], gradient)

    took = by_turns({name: partial(once, layer) for name, layer in layers.items()}, 10 * rounds)
    return f"The up-projection of LoRA, {rows} × {rank} → {d_out}, fp32: {ratio(took, 'ours', 'nn.Linear'):.2f} × nn.Linear"


def bench_switching(adapters: int = 100, switches: int = 200) -> str:
    """Every linear layer of the base carries 100 adapters of rank 8; one after the other becomes the active one."""
    model = adapted("lora")
    for number in range(1, adapters):
        model.add_adapter(f"adapter_{number}", LoraConfig(r=8, target_modules="all-linear"))
    names = [*model.adapters]
    seconds = []
    for number in range(switches):
        start = time.perf_counter()
        model.set_adapter(names[number % adapters])
        seconds.append(time.perf_counter() - start)
    return f"Switching among {adapters} adapters on every linear layer: {1e3 * sorted(seconds)[switches // 2]:.2f} ms"


def bench_mixed(rounds: int, adapters: int = 8) -> str:
    """The same batch with one adapter, and with a different one for every eighth row."""
    model = adapted("lora").eval()
    names = ["default", *(f"adapter_{number}" for number in range(1, adapters))]
    for name in names[1:]:
        model.add_adapter(name, LoraConfig(r=8, target_modules="all-linear", init_lora_weights=False))
    model.set_adapter("default")
    rows = 8 * adapters
    source, target, _ = batch(model, rows)
    of_row = [names[row % adapters] for row in range(rows)]
    with torch.no_grad():
        took = by_turns(
            {"plain": lambda: model(source, target), "mixed": lambda: model(source, target, adapter_names=of_row)},
            rounds,
        )
    return f"A mixed batch of {adapters} adapters, {rows} rows: {ratio(took, 'mixed', 'plain'):.2f} × a plain one"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--methods", nargs="+", choices=list(RECIPES), default=[name for name in RECIPES if name != "full"]
    )
    options = parser.parse_args()
    console = Console(width=120)
    console.print(machine())
    console.print(bench_steps(options.methods, options.rounds))
    console.print(bench_up(options.rounds))
    console.print(bench_switching())
    console.print(bench_mixed(options.rounds))


if __name__ == "__main__":
    main()
