"""A language model of SmolLM2's shape beside transformers and HF PEFT: a LoRA step, decoding, four bits, the GGUF's reading.

    python -m tests.benchmarks.bench_language_model [--rounds N] [--length N]

Random weights, one model on both sides, the same greedy answers. Programs run by turns; ratios are medians over the rounds. Each
peak of memory is that of a process of its own. Without SmolLM2's file (`make smollm`) the rows that read it are left out.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from lessons.chat.smollm import KEPT, NAME
from lessons.task.machine import peak_memory
from tests.benchmarks.bench_published import training_step
from tests.benchmarks.hugging_face import HuggingFace, llama, run_under_parity_python, same_model
from tests.benchmarks.timing import by_turns, machine, milliseconds, ratio
from transformer import DecoderOnly, generate
from transformer.learning.texts import NextTokens
from transformer.pretrained import load_pretrained

SIDES = ("ours", "theirs")
ROWS, TOKENS, PROMPT = 4, 128, 40
ANSWERS = {TOKENS - 1: "every token", TOKENS // 2: "the answers, a half"}
LORA = {
    "r": 8,
    "lora_alpha": 16,
    "lora_dropout": 0.0,
    "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}
OUR_NAMES = {"o_proj": "out_proj", "gate_proj": "fc1", "up_proj": "fc3", "down_proj": "fc2"}
GGUF = KEPT / NAME


def lora_step(side: str, base: Any, hf: HuggingFace, answer: int) -> Callable[[], None]:
    """One step of LoRA on every projection of the base, "ours" or "theirs", with the loss on the last `answer` tokens of a row.

    Each library as it is called for that: transformers makes the logits of all tokens and leaves out labels of -100, ours
    makes those that are asked for.
    """
    ids = torch.randint(3, 49_000, (ROWS, TOKENS), generator=torch.Generator().manual_seed(1))
    before = torch.zeros(ROWS, TOKENS, dtype=torch.bool)
    before[:, -answer - 1 : -1] = True
    if side == "ours":
        import peft

        ours = LORA | {"target_modules": [OUR_NAMES.get(name, name) for name in LORA["target_modules"]]}
        model = peft.get_peft_model(base, peft.LoraConfig(**ours))
        return training_step(model, partial(NextTokens(model), ids, None, before), ids[:, -answer:])
    with hf:
        model = hf.peft.get_peft_model(base, hf.peft.LoraConfig(**LORA))
    labels = ids.roll(-1, dims=1).where(before, -100)
    return training_step(model, lambda: model(input_ids=ids).logits, labels)


def opened(side: str, folder: str, hf: HuggingFace) -> Any:
    if side == "ours":
        return load_pretrained(folder, attention="fused")
    return hf.transformers.LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)


def bench_lora(table: Table, hf: HuggingFace, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        llama(hf.transformers).save_pretrained(folder)
        for answer, on in ANSWERS.items():
            asked = ["--folder", folder, "--answer", str(answer)]
            peaks = {side: in_own_process("--peak", side, *asked)["peak"] for side in SIDES}
            steps = {side: lora_step(side, opened(side, folder, hf), hf, answer) for side in SIDES}
            took = by_turns(steps, rounds, warm_up=1)
            work = f"LoRA step, {ROWS} × {TOKENS}, loss on {on}"
            add(table, work, took, f"{ratio(took, 'ours', 'theirs'):.2f} of its time", "≤ 0.95")
            shown = [f"{peak / 1e6:,.0f} MB" for peak in peaks.values()]
            share = peaks["ours"] / peaks["theirs"]
            table.add_row("its peak memory", *shown, f"{share:.2f} of its memory", "≤ 1.0")


def bench_decoding(table: Table, hf: HuggingFace, rounds: int, length: int) -> str:
    """Greedy decoding in float32, and what it makes of the memory's bandwidth."""
    pair = same_model(llama(hf.transformers), attention="fused")
    prompt = torch.randint(3, 49_000, (1, PROMPT))
    programs = {
        "ours": partial(generate, pair.ours, prompt, length, fast=True),
        "clear": partial(generate, pair.ours, prompt, length),
        "theirs": partial(
            pair.theirs.generate,
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=length,
            min_new_tokens=length,
            do_sample=False,
        ),
    }
    said = [program() for program in programs.values()]
    if not all(torch.equal(said[0], one) for one in said):
        raise ValueError(f"they say different things: {[one[0, PROMPT:].tolist() for one in said]}")
    weights = torch.randn(sum({id(p): p.numel() for p in pair.ours.parameters()}.values()))
    took = by_turns(programs | {"reading": partial(read, weights, length)}, rounds, warm_up=0)
    work = f"greedy, {length} tokens"
    add(table, f"{work}, fast", took, f"{ratio(took, 'theirs', 'ours'):.2f} × its speed", "≥ 1.1 ×")
    add(table, f"{work}, clear", took, f"{ratio(took, 'theirs', 'clear'):.2f} × its speed", "–", ours="clear")
    speed = length * weights.nbytes / 1e6 / milliseconds(took, "ours")
    return (
        f"Greedy decoding reads {speed:.1f} GB of weights a second: {ratio(took, 'reading', 'ours'):.0%} of what a bare sum of "
        f"them reads ({ratio(took, 'reading', 'clear'):.0%} the clear steps, {ratio(took, 'reading', 'theirs'):.0%} theirs)"
    )


def read(weights: Tensor, times: int) -> None:
    """Every weight once for each token, and nothing else."""
    for _ in range(times):
        weights.sum()


def bench_four_bits(table: Table, rounds: int, length: int) -> None:
    """The same answer's tokens with the weights of the layers in four bits, and in float32."""
    from quant import DirectQ4

    models = {
        "ours": load_pretrained(GGUF, packed=DirectQ4.from_blocks, attention="fused"),
        "theirs": load_pretrained(GGUF, attention="fused"),
    }
    prompt = torch.randint(3, 49_000, (1, PROMPT))
    programs = {
        "ours": partial(decoded, models["ours"], prompt, length),
        "theirs": partial(decoded, models["theirs"], prompt, length),
    }
    took = by_turns(programs, rounds, warm_up=1)
    add(
        table,
        "4 bits read directly, beside ours in fp32",
        took,
        f"{ratio(took, 'theirs', 'ours'):.2f} × its speed",
        "≥ 1.5 ×",
    )


def decoded(model: DecoderOnly, prompt: Tensor, length: int) -> None:
    """So many greedy fast steps, whatever they say: an end token ends nothing here."""
    with torch.inference_mode():
        tokens, next_logits = model.decoding(prompt, 1, length, fast=True)
        for _ in range(length):
            tokens = torch.cat([tokens, next_logits(tokens, None).argmax(dim=-1, keepdim=True)], dim=1)


def bench_reading(table: Table) -> None:
    """The GGUF's weights in float32, in a process of its own."""
    found = in_own_process("--read")
    table.add_row(
        "reading the GGUF",
        f"{found['seconds']:.1f} s",
        "",
        f"{found['seconds']:.1f} s of a processor ({found['clock']:.1f} s by the clock)",
        "≤ 3 s",
    )
    over = found["peak"] / found["weights"]
    table.add_row("the same, peak memory", f"{found['peak'] / 1e6:,.0f} MB", "", f"{over:.2f} × its weights", "≤ 1.2 ×")


def in_own_process(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.bench_language_model", *arguments]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


def in_this_process(options: argparse.Namespace) -> dict[str, float]:
    """What `in_own_process` asks for: three LoRA steps of one side, or the GGUF's reading."""
    if options.peak:
        hf = HuggingFace()
        step = lora_step(options.peak, opened(options.peak, options.folder, hf), hf, options.answer)
        for _ in range(3):
            step()
        return {"peak": own_peak()}
    before = own_peak()
    clock, processor = time.perf_counter(), time.process_time()
    model = load_pretrained(GGUF)
    seconds = {"clock": time.perf_counter() - clock, "seconds": time.process_time() - processor}
    weights = sum(parameter.nbytes for parameter in model.parameters())
    return seconds | {"peak": own_peak() - before, "weights": weights}


def own_peak() -> int:
    """The most memory that this program held, in bytes. `getrusage` also counts that of the process that started it."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return peak_memory()
    return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])


def add(table: Table, work: str, took: dict[str, list[float]], figure: str, wanted: str, ours: str = "ours") -> None:
    shown = [f"{milliseconds(took, name):,.0f} ms" for name in (ours, "theirs")]
    table.add_row(work, *shown, figure, wanted)


def main() -> None:
    run_under_parity_python("tests.benchmarks.bench_language_model")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--length", type=int, default=64, help="new tokens of an answer (default: 64)")
    parser.add_argument("--peak", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--answer", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--read", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    on = machine()
    if options.peak or options.read:
        print(json.dumps(in_this_process(options)))
        return
    hf, console = HuggingFace(), Console(width=120)
    console.print(f"{on}; transformers {hf.transformers.__version__}, peft {hf.peft.__version__}")
    torch.manual_seed(0)
    table = Table(title="A language model of SmolLM2's shape", caption="medians of the ratio within a round")
    for header in ("work", "ours", "theirs", "ratio", "wanted"):
        table.add_column(header, justify="left" if header == "work" else "right")
    bench_lora(table, hf, options.rounds)
    bandwidth = bench_decoding(table, hf, options.rounds, options.length)
    if GGUF.is_file():
        bench_four_bits(table, options.rounds, options.length)
        bench_reading(table)
    else:
        console.print(f"There is no {GGUF}: `make smollm` fetches it, and then its rows are here too.")
    console.print(table)
    console.print(bandwidth)


if __name__ == "__main__":
    main()
