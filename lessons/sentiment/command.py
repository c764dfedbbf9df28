"""Fine-tune a real sentence encoder for sentiment on one domain, and test it on
four.

    make sentiment                      installs the encoder, 90 MB, once
    python -m lessons sentiment         five techniques and the head alone
    python -m lessons sentiment --methods lora --steps 60 --test-sentences 300
    python -m lessons sentiment --folder PATH    another encoder: a folder of a
                                        known family with its tokenizer.json

Into --out come sentiment.json, sentiment.png, the adapters and their heads.
Interrupted, it keeps its finished rows, and --resume goes on with the others.
"""

import argparse
import hashlib
import platform
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from lessons.data.feedback import load_ratings
from lessons.drawing.progress import progress_bars
from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.sentiment.encoder import encoder_folder
from lessons.sentiment.figure import draw_sentiment
from lessons.sentiment.measures import measure_people, published
from lessons.sentiment.rows import RATES, SHOWN, SentimentSetting, run_row
from lessons.sentiment.table import print_table
from lessons.task.machine import bf16_pays, set_threads
from lessons.task.outputs import out_folder
from peft.recipes import unknown_technique
from transformer.learning.formats import read_json, write_json
from transformer.pretrained.folder import read_config, read_weights

STEPS = 120


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    threads = set_threads(options.threads)
    folder = options.folder or encoder_folder()
    ratings = load_ratings(options.ratings)
    if options.domain not in ratings:
        raise ValueError(f"there is no domain {options.domain!r}; there are {', '.join(ratings)}")
    amounts = options.train_sentences or [None]
    settings = [setting_of(method, folder, options, amount) for amount in amounts for method in options.methods]
    rows: list[dict[str, Any]] = []
    with progress_bars() as progress:
        for setting in settings:
            kept = options.out / "rows" / f"{setting.name}.json"
            if not (options.resume and kept.is_file()):
                bar = progress.add_task(setting.method, total=setting.steps, loss="")

                def on_step(step: int, loss: float, bar: Any = bar, last: int = setting.steps) -> None:
                    progress.update(bar, completed=step, loss="testing" if step == last else f"loss {loss:.3f}")

                row = run_row(setting, ratings, folder, options.out / "adapters" / setting.name, on_step)
                kept.parent.mkdir(parents=True, exist_ok=True)
                write_json(kept, row)
                progress.remove_task(bar)
            rows.append(read_json(kept))
    result = {
        "rows": rows,
        "people": {domain: measure_people(sentences) for domain, sentences in ratings.items()},
        "published": published(options.domain),
        "run": describe(options, folder, threads),
    }
    write_json(options.out / "sentiment.json", result)
    print_table(result, Console())
    figure = draw_sentiment(result, options.out / "sentiment.png")
    print(in_language(f"wrote {options.out / 'sentiment.json'} and {figure}"))
    return 0


def setting_of(method: str, folder: Path, options: Any, train_sentences: int | None = None) -> SentimentSetting:
    return SentimentSetting(
        method=method,
        seed=options.seed,
        steps=options.steps,
        learning_rate=options.learning_rate or RATES[method],
        domain=options.domain,
        test_sentences=options.test_sentences,
        encoder=weights_hash(folder),
        train_sentences=train_sentences,
    )


def weights_hash(folder: Path) -> str:
    """A short name of the weights, whatever file they lie in."""
    digest = hashlib.sha256()
    for name, tensor in sorted(read_weights(folder).items()):
        digest.update(name.encode() + tensor.float().numpy().tobytes())
    return digest.hexdigest()[:16]


def describe(options: Any, folder: Path, threads: int) -> dict[str, Any]:
    return {
        "domain": options.domain,
        "steps": options.steps,
        "seed": options.seed,
        "encoder": read_config(folder).get("_name_or_path", folder.name),
        "threads": threads,
        "precision": "bf16" if bf16_pays() else "fp32",
        "machine": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
    }


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Options("sentiment", __doc__)
    parser.add_argument("--methods", nargs="+", default=list(SHOWN), metavar="NAME", help=f"of {', '.join(RATES)}")
    parser.add_argument("--domain", default="movies", help="what is trained on (default: movies)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"default: {STEPS}")
    parser.add_argument("--learning-rate", type=float, help="for all methods (default: each has its own)")
    parser.add_argument(
        "--train-sentences", type=int, nargs="+", metavar="N", help="at most so many, a row for each N (default: all)"
    )
    parser.add_argument("--test-sentences", type=int, help="at most so many of each domain (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="default: FT_THREADS, else every core")
    parser.add_argument("--folder", type=Path, help="the encoder (default: the package that `make sentiment` installs)")
    parser.add_argument("--ratings", type=Path, help="the folder of the rated sentences (default: where they are kept)")
    parser.add_argument("--out", type=out_folder, default=Path("runs/sentiment"), help="default: runs/sentiment")
    parser.add_argument("--resume", action="store_true", help="keep the rows that are in --out already")
    options = parser.parse_args(arguments)
    for name in options.methods:
        if name not in RATES:
            raise unknown_technique(name, RATES)
    named = [("steps", options.steps), ("test-sentences", options.test_sentences)]
    named += [("train-sentences", amount) for amount in options.train_sentences or []]
    for name, value in named:
        if value is not None and value < 1:
            raise ValueError(f"--{name} must be at least 1, not {value}")
    return options
