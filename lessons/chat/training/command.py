"""Teach a language model by examples; the loss is on its answers alone.

    python -m lessons chat --train                     British spelling, LoRA
    python -m lessons chat --train sentiment --method dora
    python -m lessons chat --train FILE.jsonl          conversations of your own
    python -m lessons chat --adapter runs/chat/lora   asks it
    torchrun --nproc-per-node 2 -m lessons chat --train   on two GPUs or processes

A line of FILE.jsonl is {"messages": [{"role": "user", "content": "..."}, ...]}.
The adapter goes into --out. What is stopped is kept there, and the same command
goes on with it.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from lessons.chat.render import Message
from lessons.chat.smollm import smollm_file
from lessons.chat.training.conversations import read_conversations, texts_of
from lessons.chat.training.sentiment import sentiment_items
from lessons.chat.training.spelling import balanced, spelling_items
from lessons.chat.training.tuning import BATCH_TOKENS, Q4_1, fine_tune, open_tuned, rate_of
from lessons.data.feedback import load_ratings
from lessons.drawing.progress import progress_bars
from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.task.machine import set_threads
from lessons.task.outputs import out_folder
from peft import RECIPES, recipe
from peft.recipes import as_it_is
from transformer.learning.distributed import process_group
from transformer.learning.shares import gathered

STEPS = 60
RUN = "run.safetensors"


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    with process_group() as rank:
        teach(options, quiet=rank > 0)
    return 0


def teach(options: argparse.Namespace, quiet: bool = False) -> None:
    """Trains and saves; of several processes all take part, and the others are `quiet`."""
    set_threads()
    conversations = conversations_of(options.train)
    device = torch.device("cpu") if options.shard else None  # from where each process takes its share
    chat = open_tuned(options.method, options.model or smollm_file(), options.seed, device)
    chat.model.gradient_checkpointing(options.checkpointing)
    texts = texts_of(chat, conversations)
    out = options.out or out_folder(f"runs/chat/{options.method}")
    rate = options.rate or rate_of(options.train, options.method)
    with told(f"{len(texts)} conversations, {options.steps} steps at the rate {rate:g}", options, quiet) as on_step:
        losses = fine_tune(
            chat,
            options.method,
            texts,
            options.steps,
            rate,
            options.seed,
            out / RUN,
            on_step,
            shard=options.shard,
            accumulation=options.accumulation,
            max_tokens=options.batch_tokens,
        )
    with gathered(chat.model) if options.shard else nullcontext():
        if not quiet:
            chat.model.save_pretrained(out)
            (out / RUN).unlink(missing_ok=True)
            ask = f"python -m lessons chat{base_of(options.method)} --adapter {out}"
            print(in_language(f"loss {losses[0]:.3f} → {losses[-1]:.3f} nats a token; {ask}"))


def base_of(method: str) -> str:
    """What `lessons chat` is told of the base on which the technique trained, where it is another than the file's."""
    if method == Q4_1:
        return " --four-bits"
    return "" if recipe(method).prepare is as_it_is else f" --prepared {method}"


@contextmanager
def told(what: str, options: argparse.Namespace, quiet: bool) -> Iterator[Callable[[int, float], None]]:
    """Says what is done, and how far it is."""
    if not quiet:
        print(in_language(what), flush=True)
    with progress_bars(quiet) as progress:
        bar = progress.add_task(options.method, total=options.steps, loss="starting")
        yield lambda step, loss: progress.update(bar, completed=step, loss=f"loss {loss:.3f}")


def conversations_of(task: str) -> Sequence[Sequence[Message]]:
    """What is learnt from: of a task's name the training items, else of a file."""
    if task == "spelling":
        every = spelling_items(one.text for rated in load_ratings().values() for one in rated)
        taught = balanced(every, "train", unchanged=80)
        return [item.messages() for item in taught]
    if task == "sentiment":
        return [item.messages() for item in sentiment_items(load_ratings()) if item.part == "train"]
    path = Path(task)
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: --train takes spelling, sentiment or a file of conversations")
    return read_conversations(path)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Options("chat", __doc__)
    methods = ", ".join([*RECIPES, Q4_1])
    parser.add_argument("--train", nargs="?", const="spelling", metavar="TASK", help="spelling, sentiment or a file")
    parser.add_argument("--method", default="lora", metavar="NAME", help=f"of {methods} (default: lora)")
    parser.add_argument("--model", type=Path, metavar="DIR|FILE.gguf", help="another model than SmolLM2")
    parser.add_argument("--out", type=out_folder, metavar="DIR", help="default: runs/chat/METHOD")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"default: {STEPS}")
    parser.add_argument("--rate", type=float, help="learning rate (default: one that suits the technique)")
    parser.add_argument("--seed", type=int, default=0, help="of the order and the first weights (default: 0)")
    parser.add_argument("--batch-tokens", type=int, default=BATCH_TOKENS, help=f"of a step (default: {BATCH_TOKENS})")
    parser.add_argument("--accumulation", type=int, default=1, help="parts of a step: less memory (default: 1)")
    parser.add_argument("--checkpointing", action="store_true", help="activations are computed twice: less memory")
    parser.add_argument("--shard", action="store_true", help="under torchrun: each process keeps a share of the model")
    return parser.parse_args(arguments)
