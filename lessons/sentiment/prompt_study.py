"""Does a prompt in every layer understand more than one in front of the words?

    make sentiment feedback-data                the encoder, and what people rated
    python -m lessons.sentiment.prompt_study

Prompt tuning, P-Tuning and P-Tuning v2, each with 20 virtual tokens, on the movie
sentences: the same encoder, steps and tested sentences as those of
`python -m lessons sentiment --test-sentences 1000`, whose head alone and full
fine-tuning stand beside them. The rate of each is searched on the development
sentences. Into lessons/results/: sentiment_prompts_rates.json and
sentiment_prompts.json. Stopped, it goes on; so it does with more seeds.
"""

import argparse
import sys
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar

import torch

from lessons.compare.climbing import climb
from lessons.compare.kept_rates import KeptRates
from lessons.compare.kept_rows import NUMBER
from lessons.compare.study_rows import RESULTS, KeptRows
from lessons.data.feedback import RatedSentence, load_ratings
from lessons.sentiment.command import STEPS, weights_hash
from lessons.sentiment.encoder import encode, encoder_folder, load_encoder, load_tokenizer
from lessons.sentiment.measures import mean_ratings, measure
from lessons.sentiment.model import HIGHEST_RATING, SentimentModel, predict
from lessons.sentiment.rows import HEAD_RATE, part_of, place_of
from lessons.sentiment.updates import train
from lessons.task.machine import best_device
from lessons.task.techniques import rates_to_try
from peft import get_peft_model, recipe
from transformer.learning.formats import read_json

DOMAIN, VIRTUAL_TOKENS, TEST_SENTENCES = "movies", 20, 1000
PROMPTS = ("prompt_tuning", "p_tuning", "p_tuning_v2")


def model_of(method: str, seed: int) -> SentimentModel:
    """The encoder with a fresh adapter and a fresh head."""
    torch.manual_seed(seed)
    encoder: Any = load_encoder(encoder_folder())
    encoder = get_peft_model(encoder, recipe(method).config(num_virtual_tokens=VIRTUAL_TOKENS))
    return SentimentModel(encoder).to(best_device())


@cache
def sentences_of(part: str) -> list[RatedSentence]:
    """The movie sentences of a part, in an order of their own."""
    return sorted((sentence for sentence in load_ratings()[DOMAIN] if part_of(sentence) == part), key=place_of)


def measured(method: str, rate: float, seed: int, part: str, steps: int) -> dict[str, Any]:
    """F1 and correlation on a part of the movie sentences, after training on its own part."""
    taught, tested = sentences_of("train"), sentences_of(part)[:TEST_SENTENCES]
    model = model_of(method, seed)
    tokenizer = load_tokenizer(encoder_folder(), model.encoder.config)
    rows, asked = (encode(tokenizer, [sentence.text for sentence in some]) for some in (taught, tested))
    targets = (mean_ratings(taught) / HIGHEST_RATING).tolist()
    losses = train(model, method, rows, targets, steps, rate, HEAD_RATE, seed, lambda *_: None)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    found = measure(tested, predict(model, asked))
    return {"trainable_parameters": trained, "loss": losses[-1], "sentences": len(tested), **found}


def development_error(method: str, rate: float, seed: int, steps: int) -> float:
    """1 - r on the development sentences: by this a rate is chosen."""
    return 1 - float(measured(method, rate, seed, "development", steps)["correlation"])


class KeptSentiment(KeptRows):
    """The rows of this study."""

    found: ClassVar[Mapping[str, Any]] = {"f1": NUMBER, "correlation": NUMBER}

    def line(self, name: str, rate: float, seed: int, found: dict[str, Any] | str) -> str:
        said = f"failed: {found}" if isinstance(found, str) else f"F1 {found['f1']:.3f}"
        return f"{name:16} {rate:<7g} seed {seed}  {said}"


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    command = "python -m lessons.sentiment.prompt_study"
    load_ratings()  # fetched once, before there are processes that would fetch it at the same time
    common = {"steps": options.steps, "domain": DOMAIN, "encoder": weights_hash(encoder_folder())}
    searched = KeptRates(
        options.out / "sentiment_prompts_rates.json",
        settings={method: {**common, "virtual_tokens": VIRTUAL_TOKENS} for method in PROMPTS},
        start={method: rates_to_try(method)[-1:] for method in PROMPTS},
        seeds=1,
        about={"command": command, "measure": "1 - r on the development sentences"},
    )
    searched.begin(options.anew, "--anew forgets it, --out DIR keeps this one elsewhere")
    climb(searched, partial(development_error, steps=options.steps), options.jobs)
    rates = {method: [searched.entries[method]["best"]] for method in PROMPTS}
    setting = {**common, "virtual_tokens": VIRTUAL_TOKENS, "test_sentences": TEST_SENTENCES}
    rows = KeptSentiment(
        options.out / "sentiment_prompts.json", {"command": command, "setting": setting}, rates, options.seeds
    )
    rows.begin(options.anew)
    climb(rows, partial(measured, part="test", steps=options.steps), options.jobs)
    return int(any("failed" in row for row in rows.rows))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lessons.sentiment.prompt_study",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--steps", type=int, default=STEPS, help=f"default: {STEPS}")
    parser.add_argument("--seeds", type=int, default=3, help="default: 3")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each (default: 1)")
    parser.add_argument("--anew", action="store_true", help="forget what is kept in --out, and begin again")
    parser.add_argument("--out", type=Path, default=RESULTS, help="default: lessons/results")
    return parser.parse_args(arguments)


@cache
def load_prompt_study() -> dict[str, Any]:
    """The kept study: its command, its setting, and `rows`, one for each technique and seed."""
    kept: dict[str, Any] = read_json(RESULTS / "sentiment_prompts.json")
    return kept


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
