"""One row of the lesson: the encoder fine-tuned by one technique on one domain, tested on all four."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lessons.data.feedback import RatedSentence
from lessons.drawing.means import curve
from lessons.sentiment.encoder import encode, load_encoder, load_tokenizer
from lessons.sentiment.examples import EXAMPLES
from lessons.sentiment.measures import mean_ratings, measure
from lessons.sentiment.model import HIGHEST_RATING, SentimentModel, predict
from lessons.sentiment.updates import train
from lessons.task.finetuning import prepared_base
from lessons.task.machine import best_device
from peft import PeftModel, get_peft_model, recipe
from transformer.learning.formats import write_tensors

HEAD, HEAD_RATE = "head", 5e-3
RATES = {
    HEAD: HEAD_RATE,
    "full": 1e-4,
    "lora": 1e-3,
    "qlora": 1e-3,
    "prefix_tuning": 5e-3,
    "bitfit": 3e-3,
    "p_tuning_v2": 5e-3,
}
"""Each technique's learning rate, from experience (README.md). `head`: the head alone."""
SHOWN = (HEAD, "full", "lora", "qlora", "prefix_tuning", "bitfit")
"""What the command trains where nobody names techniques."""
TRAIN_SHARE, DEVELOPMENT_SHARE = 0.45, 0.05

Ratings = Mapping[str, Sequence[RatedSentence]]


@dataclass(frozen=True)
class SentimentSetting:
    """All that decides a row's numbers. `encoder` is the hash of its weights."""

    method: str
    seed: int
    steps: int
    learning_rate: float
    domain: str
    test_sentences: int | None
    encoder: str
    train_sentences: int | None = None

    @property
    def name(self) -> str:
        digest = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()
        return f"{self.method}-{self.domain}-{self.seed}-{digest[:8]}"


def part_of(sentence: RatedSentence) -> str:
    """Half of a domain is trained on, as in the table of VADER's paper; a tenth of that half is for choosing settings."""
    place = place_of(sentence)
    if place < TRAIN_SHARE:
        return "train"
    return "development" if place < TRAIN_SHARE + DEVELOPMENT_SHARE else "test"


def place_of(sentence: RatedSentence) -> float:
    """A number in [0, 1) that is the same for the same text, and otherwise by chance."""
    return int.from_bytes(hashlib.sha1(sentence.text.encode(), usedforsecurity=False).digest()) / 2**160


def taught_sentences(ratings: Ratings, domain: str, limit: int | None) -> list[RatedSentence]:
    """What is trained on. A `limit` takes some by chance, fewer being a part of more."""
    taught = [sentence for sentence in ratings[domain] if part_of(sentence) == "train"]
    return taught if limit is None else sorted(taught, key=place_of)[:limit]


def tested_sentences(ratings: Ratings, domain: str, trained_on: str, limit: int | None) -> list[RatedSentence]:
    """The other half of the trained domain, and the whole of another one; a `limit` takes some by chance."""
    sentences = list(ratings[domain])
    if domain == trained_on:
        sentences = [sentence for sentence in sentences if part_of(sentence) == "test"]
    return sorted(sentences, key=place_of)[:limit]


def run_row(
    setting: SentimentSetting,
    ratings: Ratings,
    folder: Path,
    out: Path,
    on_step: Callable[[int, float], None],
) -> dict[str, Any]:
    """Fine-tunes, measures, keeps the adapter and the head in `out`."""
    taught = taught_sentences(ratings, setting.domain, setting.train_sentences)
    model = prepared(setting, folder)
    tokenizer = load_tokenizer(folder, model.encoder.config)
    rows = encode(tokenizer, [sentence.text for sentence in taught])
    targets = (mean_ratings(taught) / HIGHEST_RATING).tolist()
    start = time.perf_counter()
    rate = setting.learning_rate
    losses = train(model, setting.method, rows, targets, setting.steps, rate, HEAD_RATE, setting.seed, on_step)
    seconds = time.perf_counter() - start
    keep(model, out)

    def tested_on(sentences: Sequence[RatedSentence]) -> dict[str, float]:
        scores = predict(model, encode(tokenizer, [sentence.text for sentence in sentences]))
        return {**measure(sentences, scores), "sentences": len(sentences)}

    development = [sentence for sentence in ratings[setting.domain] if part_of(sentence) == "development"]
    limit = setting.test_sentences
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return {
        **asdict(setting),
        "trained_sentences": len(taught),
        "trainable_parameters": trained,
        "bytes": sum(file.stat().st_size for file in out.iterdir()),
        "seconds": seconds,
        "loss_curve": curve(losses),
        "examples": predict(model, encode(tokenizer, [example.text for example in EXAMPLES])).tolist(),
        "development": tested_on(development),
        "tested": {domain: tested_on(tested_sentences(ratings, domain, setting.domain, limit)) for domain in ratings},
    }


def prepared(setting: SentimentSetting, folder: Path) -> SentimentModel:
    """The encoder with a fresh adapter, or frozen as it is, and a fresh head."""
    torch.manual_seed(setting.seed)
    encoder: Any = load_encoder(folder)
    if setting.method == HEAD:
        encoder.requires_grad_(False)
    else:
        encoder = get_peft_model(prepared_base(setting.method, encoder), recipe(setting.method).config())
    return SentimentModel(encoder).to(best_device())


def keep(model: SentimentModel, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_tensors(out / "head.safetensors", dict(model.head.state_dict()))
    if isinstance(model.encoder, PeftModel):
        model.encoder.save_pretrained(out)
