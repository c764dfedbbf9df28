"""Our Transformer on the CMU dictionary, beside Phonetisaurus and g2p-seq2seq.

    python -m lessons benchmark cmudict        about an hour and a half on one core with bf16

The base's shape and training, on the CMU words without stress marks, every row from position 0. The split is that of all
our dictionaries, by the hash of a word; a word is right when it equals any of its listed pronunciations. A run that was
stopped goes on with --resume; its seconds are then an estimate from the steps that were left. Into --out come the model,
cmudict.json (errors, curve, seed, seconds) and cmudict.png. The kept run is in lessons/results: 24.9 % of the held-out words
wrong, where phonetisaurus has 27.6 % on the same split, and 5.5 % of those that it learnt from.
"""

import json
import math
import platform
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from lessons.benchmark.figure import draw_benchmark
from lessons.drawing.means import curve
from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.task.dictionary import pairs, unseen_symbols, words
from lessons.task.machine import best_device, bf16_pays, set_threads
from lessons.task.outputs import out_folder
from lessons.task.pretrain import base_config, pretraining_config, train_visibly
from lessons.task.scoring import evaluate
from transformer import TrainingConfig, Transformer, save_model
from transformer.learning.formats import read_json, write_json

ACCENT = "cmu"
STEPS, DEVELOPMENT_WORDS, LEARNT_WORDS, EVALUATE_EVERY = 32_000, 1000, 2000, 500
BESIDE: list[dict[str, Any]] = [
    {
        "model": "phonetisaurus 0.3.0",
        "word_error": 0.276,
        "split": "the same as ours",
        "source": "python -m tests.benchmarks.phonetisaurus --accent cmu",
    },
    {
        "model": "g2p-seq2seq: Transformer, 3 layers of 256",
        "word_error": 0.302,
        "split": "its own, of the same dictionary",
        "source": "README of cmusphinx/g2p-seq2seq",
    },
    {
        "model": "phonetisaurus",
        "word_error": 0.339,
        "split": "that of g2p-seq2seq",
        "source": "README of cmusphinx/g2p-seq2seq",
    },
]


def main(arguments: list[str]) -> int:
    parser = Options("benchmark", __doc__.splitlines()[0])
    parser.add_argument("name", choices=["cmudict"])
    parser.add_argument("--steps", type=int, default=STEPS, help=f"batches of 3,000 target tokens (default: {STEPS})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="default: FT_THREADS, else every core")
    parser.add_argument("--out", type=out_folder, default=Path("runs/cmudict"), help="default: runs/cmudict")
    parser.add_argument("--resume", action="store_true", help="go on with the run that is in --out")
    options = parser.parse_args(arguments)
    threads, device = set_threads(options.threads), best_device()
    checkpoint = options.out / "training.safetensors"
    if checkpoint.exists() and not options.resume:
        raise ValueError(f"{options.out} holds a run: --resume goes on with it, --out names another folder")
    config = training_config(options.steps, options.seed, bf16_pays(device))
    torch.manual_seed(options.seed)
    model = Transformer(base_config()).to(device)
    losses, seconds, development = trained(model, config, options.out)
    save_model(model, options.out)
    result = measured(model, config) | {
        "command": f"python -m lessons benchmark cmudict --steps {options.steps} --seed {options.seed}",
        "seconds": seconds,
        "threads": threads,
        "machine": f"{platform.system()} {platform.machine()}, {device}, torch {torch.__version__}",
        "loss_curve": curve(losses),
        "development_curve": development,
    }
    file = options.out / "cmudict.json"
    if math.isnan(seconds) and file.is_file():  # nothing was left to train: the time is that of the finished run
        result |= {name: value for name, value in read_json(file).items() if name in ("seconds", "threads", "machine")}
    write_json(file, result)
    print_table(result)
    print(f"wrote {file} and {draw_benchmark(result, options.out / 'cmudict.png')}")
    return 0


def training_config(steps: int, seed: int, bf16: bool) -> TrainingConfig:
    """As the base is trained; but this dictionary has no stress marks, and they must never be said, and no prompt will
    stand in front: every row begins at position 0."""
    config = pretraining_config(steps, seed, bf16)
    return replace(config, warmup=min(config.warmup, steps), first_position=0, never=tuple(unseen_symbols(ACCENT)))


def trained(
    model: Transformer, config: TrainingConfig, folder: Path
) -> tuple[list[float], float, list[tuple[int, float]]]:
    """The losses, the seconds, and now and then the word error on words that are neither trained on nor tested."""
    held_out = words(ACCENT, "development", limit=DEVELOPMENT_WORDS)
    kept = folder / "development.json"
    errors: dict[int, float] = {}
    if kept.is_file():
        errors = {int(step): error for step, error in read_json(kept).items()}

    def on_step(step: int, loss: float) -> None:
        if step % EVALUATE_EVERY == 0 or step == config.steps:
            errors[step] = evaluate(model, held_out, ACCENT).word_error
            folder.mkdir(parents=True, exist_ok=True)
            write_json(kept, errors)

    examples = pairs(ACCENT, words(ACCENT, "train"), all_pronunciations=True)
    losses, seconds = train_visibly(model, examples, config, folder / "training.safetensors", on_step=on_step)
    return losses, seconds, sorted(errors.items())


def measured(model: Transformer, config: TrainingConfig) -> dict[str, Any]:
    """Both errors on all test words, with what decides them and what stands beside them."""
    return {
        "test": asdict(evaluate(model, words(ACCENT, "test"), ACCENT)),
        "learnt_words": asdict(evaluate(model, words(ACCENT, "train", limit=LEARNT_WORDS), ACCENT)),
        "split": "by sha1 of the word: 4 % test, 2 % development, the rest training",
        "training_words": len(words(ACCENT, "train")),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "model": model.config.to_dict(),
        "training": json.loads(json.dumps(asdict(config))),
        "seed": config.seed,
        "beside": BESIDE,
    }


def print_table(result: dict[str, Any]) -> None:
    test = result["test"]
    print(in_language(f"{test['words']:,} held-out words of the CMU dictionary, without stress; greedy decoding"))
    ours = f"ours: {result['parameters']:,} parameters, seed {result['seed']}"
    for name, error in [(ours, test["word_error"])] + [(row["model"], row["word_error"]) for row in result["beside"]]:
        print(in_language(f"  {100 * error:5.1f} % of the words wrong   {name}"))
    learnt = 100 * result["learnt_words"]["word_error"]
    print(in_language(f"  {learnt:5.1f} % wrong of the words that it learnt from, ours"))
    print(in_language(f"  {100 * test['phoneme_error']:5.1f} % of the symbols wrong, ours (a diphthong is two)"))


if __name__ == "__main__":
    raise SystemExit(main(["cmudict"]))
