"""The parts that have a faster form, each beside its plain ones: dropout, RMSNorm, and a product of few rows.

python -m tests.benchmarks.bench_parts [--rounds N]
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor

from tests.benchmarks.timing import by_turns, machine, ratio
from transformer.add_norm import RMSNorm
from transformer.decoding.fast_products import leading, product
from transformer.dropout import apply_dropout
from transformer.fused import FusedRMSNorm, fast_dropout

REPEAT = 50
LAYERS = 12
"""So many matrices go by before the first comes again, as in a model: the processor's cache keeps none of them."""


def repeated(program: Callable[[], object]) -> None:
    for _ in range(REPEAT):
        program()


def one_after_the_other(programs: list[Callable[[], object]]) -> None:
    for program in programs:
        program()


def forward_and_backward(part: Callable[[Tensor], Tensor], x: Tensor) -> None:
    y = part(x)
    torch.autograd.grad(y, x, torch.ones_like(y))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    console = Console(width=120)
    console.print(machine())
    table = Table(title="Fast forms beside plain ones", caption="medians of the ratio within a round")
    for header in ("part", "beside", "time"):
        table.add_column(header, justify="right" if header == "time" else "left")

    def compare(part: str, beside: str, fast: Callable[[], object], plain: Callable[[], object]) -> None:
        took = by_turns({"fast": partial(repeated, fast), "plain": partial(repeated, plain)}, rounds)
        table.add_row(part, beside, f"{ratio(took, 'fast', 'plain'):.2f}")

    x = torch.randn(2850, 128, requires_grad=True)
    for beside, plain in (("torch's", F.dropout), ("the formula", apply_dropout)):
        dropout = [partial(forward_and_backward, partial(form, p=0.1), x) for form in (fast_dropout, plain)]
        compare("dropout, 2,850 × 128, forward and backward", beside, *dropout)
    x = torch.randn(512, 576, requires_grad=True)
    clear, fused = (norm(576).requires_grad_(False) for norm in (RMSNorm, FusedRMSNorm))
    for beside, plain in (
        ("torch's", partial(torch.rms_norm, normalized_shape=(576,), weight=clear.weight)),
        ("the formula", clear),
    ):
        norm = [partial(forward_and_backward, form, x) for form in (fused, plain)]
        compare("RMSNorm, 512 × 576, forward and backward, gain frozen", beside, *norm)
    for d_out, d_in in ((1024, 256), (1536, 576)):
        weights, bias = torch.randn(LAYERS, d_out, d_in).unbind(), torch.randn(d_out)
        for rows in (1, 64):
            x = torch.randn(*leading(rows), d_in)
            fast = [partial(product(weight, bias, rows), x) for weight in weights]
            plain = [partial(F.linear, x, weight, bias) for weight in weights]
            forms = partial(one_after_the_other, fast), partial(one_after_the_other, plain)
            compare(f"products, {rows} × {d_in} → {d_out:,}, as the fast step makes them", "torch's", *forms)
    console.print(table)


if __name__ == "__main__":
    main()
