"""Pretraining: the base model of the course, from random weights to American English.

    python -m lessons pretrain                        the shipped base, about 100 minutes on one core with bf16
    torchrun --nproc-per-node 2 -m lessons pretrain   the same on two processes

A run that is stopped goes on where it was. The base, its config and its model card are written into --out.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.language.words import say
from lessons.task.card import write_card
from lessons.task.dictionary import pairs, unseen_symbols, vocabulary, words
from lessons.task.machine import best_device, bf16_pays, set_threads
from lessons.task.outputs import out_folder
from transformer import TrainingConfig, Transformer, TransformerConfig, save_model, train
from transformer.learning.batching import Pair
from transformer.learning.distributed import process_group


def base_config() -> TransformerConfig:
    """1.4 million parameters: pre-norm, three layers a side, and the faster twins of the parts (transformer/fused.py)."""
    return TransformerConfig(
        vocab_size=len(vocabulary()),
        d_model=128,
        num_heads=4,
        num_encoder_layers=3,
        num_decoder_layers=3,
        d_ff=512,
        dropout=0.1,
        max_length=96,
        norm="pre",
        attention="fused",
    )


def pretraining_config(steps: int, seed: int, bf16: bool) -> TrainingConfig:
    """What a search on the development words chose. Half of the rows begin at a position of 1 to 15 in place of 0: a
    prompt of so many vectors can then stand in front of the letters, and moving them alone costs nothing."""
    return TrainingConfig(
        steps=steps,
        learning_rate=4e-3,
        warmup=400,
        max_tokens=3000,
        weight_decay=0.1,
        first_position=15,
        never=tuple(unseen_symbols("american")),
        precision="bf16" if bf16 else "fp32",
        seed=seed,
    )


def main(arguments: list[str]) -> int:
    parser = Options("pretrain", __doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=32_000, help="batches of 3,000 target tokens (default: 32000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="default: FT_THREADS, else every core")
    parser.add_argument("--out", type=out_folder, default=Path("runs/pretrain"), help="default: runs/pretrain")
    options = parser.parse_args(arguments)
    with process_group() as rank:
        pretrain(options, quiet=rank > 0)
    return 0


def pretrain(options: Any, quiet: bool = False) -> None:
    threads, device = set_threads(options.threads), best_device()
    config = pretraining_config(options.steps, options.seed, bf16_pays(device))
    examples = pairs("american", words("american", "train"), all_pronunciations=True)
    torch.manual_seed(options.seed)
    model = Transformer(base_config()).to(device)
    losses, seconds = train_visibly(model, examples, config, options.out / "training.safetensors", quiet)
    if not quiet:
        save_model(model, options.out)
        print(in_language(f"{threads} threads on {device}, loss {losses[-1]:.3f}"))
        held_out = write_card(model, options.out, config, seconds, threads, losses[-1])["held_out"]
        error = 100 * held_out["american"]["word_error"]
        print(in_language(f"word error on held-out American words: {error:.1f} %"))


def train_visibly(
    model: Any,
    examples: Sequence[Pair],
    config: TrainingConfig,
    checkpoint: Path,
    quiet: bool = False,
    on_step: Callable[[int, float], None] | None = None,
    groups: list[dict[str, Any]] | None = None,
) -> tuple[list[float], float]:
    """Trains behind a progress bar: the losses, and the seconds of the whole run (an estimate where it was resumed)."""
    columns = (
        TextColumn(say("training")),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(say("loss") + " {task.fields[loss]:.3f}"),
    )
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), disable=quiet) as progress:
        task = progress.add_task("", total=config.steps, loss=float("nan"))
        start, done = time.perf_counter(), 0

        def show(step: int, loss: float) -> None:
            nonlocal done
            done += 1
            progress.update(task, completed=step, loss=loss)
            if on_step:
                on_step(step, loss)

        losses = train(model, examples, config, groups, checkpoint, on_step=show)
    seconds = time.perf_counter() - start
    if not quiet:
        print(in_language(f"{done} steps in {seconds:.0f} s"))
    return losses, seconds * config.steps / done if done else float("nan")


if __name__ == "__main__":
    raise SystemExit(main([]))
