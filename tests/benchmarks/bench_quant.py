"""Seconds and memory of four bits, against bitsandbytes on the same processor: `python -m tests.benchmarks.bench_quant`.

The two run by turns, each in a process of its own, and medians are compared. Without the second environment
(`make parity` makes it; FT_PARITY_PYTHON names another) only our own figures are printed.

With `--threads 1` the seconds are those of the processor, which a busy machine leaves as they are; with more, the clock's.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn import functional as F

from lessons.task.machine import bf16_pays
from quant import Linear4bit, dequantize_4bit, quantize_4bit

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = Path(os.environ.get("FT_PARITY_PYTHON", ROOT / ".venv-parity" / "bin" / "python"))
RUNNER = ROOT / "tests" / "parity" / "bitsandbytes_runner.py"


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed and memory of the 4-bit formats")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--tokens", type=int, default=512, help="rows of x in the training step (default 512)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    peak = peak_of_quantizing(options.size)  # first of all: later a heap of freed memory would hide it
    table = Table(
        "what", "ours (ms)", "other (ms)", "ratio", "at most", title=f"{options.size}², {options.threads} threads"
    )
    for dtype in ("float32", "bfloat16"):
        mine, theirs = by_turns(options, dtype)
        for what, limit in (("quantize", 1.0), ("dequantize", 2.0)):
            add_row(table, f"{what} {dtype}, bitsandbytes", mine[what], theirs.get(what), limit)
    compute_dtype = torch.bfloat16 if bf16_pays(torch.device("cpu")) else torch.float32
    four_bits, plain = training_steps(options, compute_dtype)
    step = f"training step in {compute_dtype}, {options.tokens} tokens, dequantize + F.linear"
    add_row(table, step.replace("torch.", ""), four_bits, plain, 1.5)
    Console().print(table)
    print(f"peak extra memory of quantizing: {peak:.2f} of the matrix (at most 1.5)")


def add_row(table: Table, what: str, ours: float, other: float | None, limit: float) -> None:
    ratio = f"{ours / other:.2f}" if other else "-"
    table.add_row(what, f"{1e3 * ours:.1f}", f"{1e3 * other:.1f}" if other else "-", ratio, str(limit))


def by_turns(options: argparse.Namespace, dtype: str) -> tuple[dict[str, float], dict[str, float]]:
    """Medians over the rounds: ours, theirs, ours, theirs."""
    mine, theirs = [], []
    for _ in range(options.rounds):
        weight = torch.randn(options.size, options.size).to(getattr(torch, dtype))
        quantized = quantize_4bit(weight)
        mine.append(
            {
                "quantize": median(lambda weight=weight: quantize_4bit(weight)),
                "dequantize": median(lambda quantized=quantized: dequantize_4bit(quantized)),
            }
        )
        if PYTHON.is_file():
            theirs.append(bitsandbytes({"size": options.size, "threads": options.threads, "dtype": dtype}))
    return middle(mine), middle(theirs)


def middle(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {what: statistics.median(each[what] for each in rounds) for what in (rounds[0] if rounds else ())}


def bitsandbytes(job: dict[str, object]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "job.json").write_text(json.dumps(job), encoding="utf-8")
        subprocess.run([str(PYTHON), "-I", str(RUNNER), folder], check=True, capture_output=True)
        return json.loads((Path(folder) / "timings.json").read_text(encoding="utf-8"))


def training_steps(options: argparse.Namespace, dtype: torch.dtype) -> tuple[float, float]:
    """A forward and a backward pass of the layer; and of a product whose weight is restored once and kept."""
    layer = Linear4bit.from_linear(nn.Linear(options.size, options.size, bias=False), compute_dtype=dtype)
    x = torch.randn(options.tokens, options.size, dtype=dtype, requires_grad=True)
    upstream = torch.randn(options.tokens, options.size, dtype=dtype)
    return (
        median(lambda: layer(x).backward(upstream)),
        median(lambda: F.linear(x, layer.dequantized(dtype)).backward(upstream)),
    )


def median(function: Callable[[], object], repeats: int = 5) -> float:
    function()
    seconds = []
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    for _ in range(repeats):
        start = clock()
        function()
        seconds.append(clock() - start)
    return statistics.median(seconds)


def peak_of_quantizing(size: int) -> float:
    """The most resident memory above what was there before, watched from a second thread, over the matrix's size."""
    weight = torch.randn(size, size)
    before, peak, done = resident_bytes(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, resident_bytes())
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    quantize_4bit(weight, double_quant=True)
    done.set()
    watcher.join()
    return max(0, peak - before) / weight.nbytes


def resident_bytes() -> int:
    """Linux only."""
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
