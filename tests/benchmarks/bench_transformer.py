"""The speed of transformer/: a training step against torch.nn.Transformer, the cache, the attention kernel, pretraining.

Ours are the faster twins (attention="fused"), as lessons train with them; "clear" are the formulas written out.

    python -m tests.benchmarks.bench_transformer [--rounds N]

Programs run by turns in one process; ratios are medians over the rounds. What is fair about it: README.md here.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from lessons.task.dictionary import pairs, words
from lessons.task.machine import bf16_pays
from lessons.task.pretrain import base_config, pretraining_config
from tests.benchmarks.products import only_products
from tests.benchmarks.timing import by_turns, machine, milliseconds, ratio
from tests.benchmarks.torch_model import TorchModel
from transformer import Transformer, TransformerConfig, generate, label_smoothed_cross_entropy, train
from transformer.attention import Attend
from transformer.fused import fused_attention

SIZES = {
    "base, 300 × 9 + 10": (base_config(), 300, 9, 10),
    "d 256, 64 × 24 + 24": (
        TransformerConfig(71, 256, 8, 3, 3, 1024, dropout=0.1, max_length=96, norm="pre"),
        64,
        24,
        24,
    ),
}
PRECISIONS = ("fp32", "bf16") if bf16_pays(torch.device("cpu")) else ("fp32",)


def random_ids(config: TransformerConfig, batch: int, length: int) -> Tensor:
    return torch.randint(3, config.vocab_size, (batch, length), generator=torch.Generator().manual_seed(0))


def training_step(model: nn.Module, batch: int, source: int, target: int, precision: str) -> Callable[[], None]:
    """Forward, loss, backward, clipping and AdamW. A third of the rows is two letters shorter."""
    ids, inputs, labels = (random_ids(model.config, batch, length) for length in (source, target, target))
    ids[::3, -2:] = model.config.pad_id
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    model.train()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = model(ids, inputs)
        optimizer.zero_grad(set_to_none=True)
        label_smoothed_cross_entropy(logits, labels).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def bench_training(rounds: int) -> Table:
    table = Table(title="A training step", caption="ratios: ours / torch.nn.Transformer's, at most 1.0 is wanted")
    headers = ("size", "precision", "ours, ms", "torch, ms", "ratio", "ratio to torch as it comes", "clear", "products")
    for header in headers:
        table.add_column(header, justify="right" if header not in headers[:2] else "left")
    for size, (config, *shape) in SIZES.items():
        for precision in PRECISIONS:
            programs = {
                "ours": training_step(Transformer(replace(config, attention="fused")), *shape, precision),
                "torch": training_step(TorchModel(config, same_dropout=True), *shape, precision),
                "torch as it comes": training_step(TorchModel(config, same_dropout=False), *shape, precision),
                "clear": training_step(Transformer(replace(config, attention="math")), *shape, precision),
            }
            programs["products"] = only_products(programs["ours"])
            took = by_turns(programs, rounds)
            table.add_row(
                size,
                precision,
                *(f"{milliseconds(took, name):.0f}" for name in ("ours", "torch")),
                f"{ratio(took, 'ours', 'torch'):.2f}",
                f"{ratio(took, 'ours', 'torch as it comes'):.2f}",
                f"{ratio(took, 'clear', 'torch'):.2f}",
                f"{ratio(took, 'products', 'ours'):.0%}",
            )
    return table


def endless(config: TransformerConfig) -> Transformer:
    """A model that never ends a sequence, so that every run decodes to the full length."""
    model = Transformer(config).eval()
    model.output.bias = nn.Parameter(torch.zeros(config.vocab_size))
    with torch.no_grad():
        model.output.bias[config.eos_id] = -1e9
    return model


def bench_decoding(rounds: int, length: int = 48) -> Table:
    table = Table(title=f"Decoding to length {length}", caption="at least 4 × is wanted of greedy decoding")
    for header in ("size", "rows", "method", "tokens/s fast", "cached", "uncached", "gain: fast", "cached"):
        table.add_column(header, justify="right")
    for size, (config, _, source, _) in SIZES.items():
        model = endless(config)
        for rows, beams in ((1, 1), (64, 1), (16, 4)):
            decode = partial(generate, model, random_ids(config, rows, source), length, num_beams=beams)
            programs = {
                "fast": partial(decode, fast=True),
                "cached": decode,
                "uncached": partial(decode, use_cache=False),
            }
            took = by_turns(programs, rounds, warm_up=1)
            speed = (f"{rows * length / milliseconds(took, name) * 1e3:,.0f}" for name in programs)
            method = "greedy" if beams == 1 else f"{beams} beams"
            gains = (f"{ratio(took, *pair):.1f} ×" for pair in (("uncached", "fast"), ("uncached", "cached")))
            table.add_row(size, str(rows), method, *speed, *gains)
    return table


def core_step(core: Callable[..., Tensor], inputs: list[Tensor], mask: Tensor, upstream: Tensor) -> None:
    torch.autograd.grad(core(*inputs, mask), inputs, upstream)


def bench_attention(rounds: int) -> Table:
    """When torch's kernel pays: forward and backward of the core alone, at one number of tokens."""
    table = Table(title="The attention core, 4 heads of 32, 4,096 tokens", caption="time: kernel / formula")
    for header in ("length", *PRECISIONS):
        table.add_column(header, justify="right")
    for length in (8, 24, 64, 128, 256, 512):
        cells = []
        for precision in PRECISIONS:
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            query, key, value, upstream = torch.randn(4, 4096 // length, 4, length, 32).to(dtype)
            inputs = [x.requires_grad_() for x in (query, key, value)]
            mask = torch.ones(1, 1, length, length, dtype=torch.bool).tril()
            programs = {
                name: partial(core_step, core, inputs, mask, upstream)
                for name, core in (("formula", Attend()), ("kernel", fused_attention))
            }
            cells.append(f"{ratio(by_turns(programs, rounds), 'kernel', 'formula'):.2f}")
        table.add_row(str(length), *cells)
    return table


def bench_pretraining(steps: int = 24) -> str:
    examples = pairs("american", words("american", "train"), all_pronunciations=True)
    settings = pretraining_config(steps, seed=0, bf16="bf16" in PRECISIONS)
    ends: list[float] = []
    train(Transformer(base_config()), examples, settings, on_step=lambda _step, _loss: ends.append(time.perf_counter()))
    tokens = sum(len(target) for _, target in examples)
    words_per_batch = settings.max_tokens * len(examples) / tokens  # batches are full, but for the last of each length
    speed = words_per_batch * (len(ends) - 1) / (ends[-1] - ends[0])
    return f"Pretraining the base in {settings.precision}: {speed:,.0f} words per second"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    console = Console(width=120)
    console.print(machine())
    console.print(bench_training(options.rounds))
    console.print(bench_decoding(max(3, options.rounds // 3)))
    console.print(bench_attention(options.rounds))
    console.print(bench_pretraining())


if __name__ == "__main__":
    main()
