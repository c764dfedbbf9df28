"""Our speed beside Hugging Face transformers' and PEFT's: training, LoRA, generation, mixed batches, import.

    python -m tests.benchmarks.bench_published [--rounds N]

Same shapes, same weights, and both sides with torch's kernels (`attention="fused"`); ours generates with `fast=True`. The same
answers too: generation is compared token for token before it is timed. Programs run by turns in one process; ratios are
medians over the rounds.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from tests.benchmarks.hugging_face import HuggingFace, Pair, gpt2, marian, run_under_parity_python, same_model
from tests.benchmarks.timing import by_turns, machine, milliseconds, ratio

SAME_KERNELS = re.compile(
    r"aten::(addmm|mm|bmm|_fused_adamw_|_?(native_layer_norm|gelu|silu|log_softmax|scaled_dot_product_\w+)(_backward(_data)?)?)"
)
LENGTH = 48
WIDTHS = (128, 256)


class Figures:
    """The table, a row a comparison: what is wanted of ours/theirs (time), or of theirs/ours (speed)."""

    def __init__(self, rounds: int):
        self.rounds = rounds
        self.table = Table(
            title="Beside Hugging Face transformers and PEFT", caption="medians of the ratio within a round"
        )
        for header in ("work", "ours, ms", "theirs, ms", "of it kernels", "ratio", "wanted"):
            self.table.add_column(header, justify="left" if header == "work" else "right")

    def time(self, work: str, ours: Callable[[], object], theirs: Callable[[], object], at_most: float | None) -> None:
        took = by_turns({"ours": ours, "theirs": theirs}, self.rounds)
        self.row(
            work, took, theirs, f"{ratio(took, 'ours', 'theirs'):.2f} of its time", f"≤ {at_most}" if at_most else "–"
        )

    def speed(self, work: str, ours: Callable[[], object], theirs: Callable[[], object], at_least: float) -> None:
        took = by_turns({"ours": ours, "theirs": theirs}, self.rounds)
        self.row(work, took, theirs, f"{ratio(took, 'theirs', 'ours'):.2f} × its speed", f"≥ {at_least} ×")

    def row(
        self, work: str, took: dict[str, list[float]], theirs: Callable[[], object], figure: str, wanted: str
    ) -> None:
        milli = {name: milliseconds(took, name) for name in ("ours", "theirs")}
        share = statistics.median(kernel_milliseconds(theirs) for _ in range(3)) / milli["theirs"]
        self.table.add_row(work, *(f"{time:.1f}" for time in milli.values()), f"{share:.0%}", figure, wanted)


def kernel_milliseconds(program: Callable[[], object]) -> float:
    """What a program spends in the large kernels of torch, which both sides call alike: nobody can save it."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        program()
    return sum(row.self_cpu_time_total for row in profiler.key_averages() if SAME_KERNELS.fullmatch(row.key)) / 1000


def training_step(model: nn.Module, logits: Callable[[], Tensor], labels: Tensor) -> Callable[[], None]:
    """Forward, loss, backward, clipping and AdamW on what is trained."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
    model.train()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(logits().flatten(0, 1), labels.flatten()).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    return step


def bench_training(figures: Figures, hf: HuggingFace) -> None:
    import peft

    for d_model in WIDTHS:
        for name, at_most in (("full", 0.9), ("LoRA", 0.9)):
            pair = same_model(marian(hf.transformers, d_model), attention="fused")
            source, target = torch.randint(1, 999, (2, 64, 24))
            mask = torch.ones_like(source)
            theirs, ours = pair.theirs, pair.ours
            if name == "LoRA":
                settings = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0, "target_modules": ["q_proj", "v_proj"]}
                with hf:
                    theirs = hf.peft.get_peft_model(theirs, hf.peft.LoraConfig(**settings))
                ours = peft.get_peft_model(ours, peft.LoraConfig(**settings))
            call = partial(theirs, input_ids=source, attention_mask=mask, decoder_input_ids=target)
            figures.time(
                f"{name} training step, Marian d {d_model}, 64 × 24 + 24",
                training_step(ours, partial(ours, source, target), target),
                training_step(theirs, lambda call=call: call().logits, target),
                at_most,
            )


def bench_generation(figures: Figures, transformers: Any) -> None:
    for d_model in WIDTHS:
        pair = same_model(marian(transformers, d_model), attention="fused")
        for rows, beams, at_least in ((1, 1, 2.0), (64, 1, 1.5), (16, 4, 1.5)):
            method = "greedy" if beams == 1 else f"beam {beams}"
            work = f"{method}, Marian d {d_model}, batch {rows}"
            figures.speed(work, *decoders(pair, torch.randint(1, 998, (rows, 24)), beams), at_least)
    pair = same_model(gpt2(transformers), attention="fused")
    figures.speed("greedy, GPT-2 of d 256, 6 layers, batch 1", *decoders(pair, torch.randint(1, 999, (1, 24))), 1.5)


def decoders(pair: Pair, source: Tensor, beams: int = 1) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """Both `generate`, after a look that they say the same. Raises ValueError if they do not."""
    from transformer import generate

    ours = partial(generate, pair.ours, source, LENGTH, num_beams=beams, fast=True)
    theirs = partial(
        pair.theirs.generate,
        source,
        attention_mask=torch.ones_like(source),
        max_new_tokens=LENGTH,
        num_beams=beams,
        do_sample=False,
    )
    first, second = ours(), theirs()
    if not torch.equal(first, second):
        raise ValueError(f"the two say different things: {first[0].tolist()} and {second[0].tolist()}")
    return ours, theirs


def bench_mixed(figures: Figures, hf: HuggingFace, adapters: int = 8) -> None:
    import peft

    pair = same_model(marian(hf.transformers, 256), attention="fused")
    settings = {"r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"], "init_lora_weights": False}
    names = [f"adapter_{index}" for index in range(adapters)]
    ours = with_adapters(peft, pair.ours, names, settings)
    with hf:
        theirs = with_adapters(hf.peft, pair.theirs, names, settings)
    source, target = torch.randint(1, 999, (2, 64, 24))
    rows = [names[row % adapters] for row in range(64)]
    call = {"input_ids": source, "attention_mask": torch.ones_like(source), "decoder_input_ids": target}

    @torch.no_grad()
    def run_ours() -> Tensor:
        return ours(source, target, adapter_names=rows)

    @torch.no_grad()
    def run_base() -> Tensor:
        with ours.disable_adapter():
            return ours(source, target)

    @torch.no_grad()
    def run_theirs() -> Tensor:
        return theirs(**call, adapter_names=rows).logits

    figures.time("mixed batch of 8 LoRA adapters, Marian d 256, 64 × 24 + 24", run_ours, run_theirs, 0.8)
    figures.time("our base alone beside the same mixed batch", run_base, run_theirs, None)


def with_adapters(library: Any, model: nn.Module, names: list[str], settings: dict[str, Any]) -> Any:
    tuned = library.get_peft_model(model, library.LoraConfig(**settings), adapter_name=names[0])
    for name in names[1:]:
        tuned.add_adapter(name, library.LoraConfig(**settings))
    return tuned.eval()


def weights_read(rounds: int) -> str:
    """Which share of greedy decoding one bare product with every weight takes: a step cannot take less."""
    from transformer import Transformer, TransformerConfig, generate

    shares = []
    for d_model in WIDTHS:
        config = TransformerConfig(1000, d_model, d_model // 32, 3, 3, 4 * d_model, 0.0, 128, attention="fused")
        model = Transformer(config).eval()
        matrices = [module.weight for module in model.decoder.modules() if isinstance(module, nn.Linear)]
        memory = [layer.cross_attention for layer in model.decoder.layers]  # whose keys and values are made once
        once = {id(projection.weight) for layer in memory for projection in (layer.k_proj, layer.v_proj)}
        matrices = [matrix for matrix in (*matrices, model.output.weight) if id(matrix) not in once]
        for rows in (1, 64):
            source = torch.randint(3, 1000, (rows, 24))
            decode = partial(generate, model, source, LENGTH, fast=True)
            read = partial(products, matrices, rows, times=decode().shape[1] - 1)
            took = by_turns({"decoding": decode, "products": read}, rounds)
            shares.append(f"d {d_model}, batch {rows}: {ratio(took, 'products', 'decoding'):.0%}")
    return f"Share of greedy decoding that one product with every weight takes: {'; '.join(shares)}"


@torch.no_grad()
def products(matrices: list[Tensor], rows: int, times: int) -> None:
    inputs = [torch.ones(rows, matrix.shape[1]) for matrix in matrices]
    for _ in range(times):
        for matrix, x in zip(matrices, inputs, strict=True):
            nn.functional.linear(x, matrix)


def import_seconds(rounds: int = 5) -> str:
    """What `import transformer, peft, quant` takes beyond `import torch`, each in a process of its own."""

    def took(statement: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-W", "ignore", "-c", statement], check=True)
        return time.perf_counter() - start

    both = [(took("import torch"), took("import torch, transformer, peft, quant")) for _ in range(rounds)]
    beyond = statistics.median(ours - torch_alone for torch_alone, ours in both)
    return f"import of transformer, peft and quant beyond torch's own: {beyond:.2f} s (at most 0.3 is wanted)"


def main() -> None:
    run_under_parity_python("tests.benchmarks.bench_published")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    hf = HuggingFace()
    console = Console(width=120)
    console.print(f"{machine()}; transformers {hf.transformers.__version__}, peft {hf.peft.__version__}")
    torch.manual_seed(0)
    figures = Figures(options.rounds)
    bench_training(figures, hf)
    bench_generation(figures, hf.transformers)
    bench_mixed(figures, hf)
    console.print(figures.table)
    console.print(weights_read(options.rounds))
    console.print(import_seconds())


if __name__ == "__main__":
    main()
