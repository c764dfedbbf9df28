"""Lesson 28's short run, where the encoder and the rated sentences are at hand."""

from importlib import util

import torch

from lessons.data.feedback import ARCHIVE, KEPT, load_ratings
from lessons.experiments.sentiment import TRAINED_ON
from lessons.sentiment.encoder import PACKAGE, encode, encoder_folder, load_encoder, load_tokenizer
from lessons.sentiment.examples import EXAMPLES, IN_CHINESE, IN_ENGLISH
from lessons.sentiment.measures import mean_ratings
from lessons.sentiment.model import HIGHEST_RATING, SentimentModel, predict
from lessons.sentiment.rows import HEAD, HEAD_RATE, taught_sentences
from lessons.sentiment.updates import train
from lessons.teaching import prose


def at_hand() -> bool:
    """Is there the encoder, its tokenizer, and the archive of rated sentences? Nothing is fetched for a lesson."""
    return all(util.find_spec(name) for name in (PACKAGE, "tokenizers")) and (KEPT / ARCHIVE).is_file()


def pieces(text: str) -> list[str]:
    """The tokens into which the encoder's tokenizer cuts a text."""
    folder = encoder_folder()
    found: list[str] = load_tokenizer(folder, load_encoder(folder).config).encode(text).tokens
    return found


def live_head(sentences: int, steps: int) -> dict[str, float]:
    """The head alone, trained now on a few movie sentences: the score of each sentence of EXAMPLES."""
    torch.manual_seed(0)
    folder = encoder_folder()
    model = SentimentModel(load_encoder(folder).requires_grad_(False))
    tokenizer = load_tokenizer(folder, model.encoder.config)
    taught = taught_sentences(load_ratings(), TRAINED_ON, sentences)
    rows, targets = encode(tokenizer, [each.text for each in taught]), (mean_ratings(taught) / HIGHEST_RATING).tolist()
    train(model, HEAD, rows, targets, steps, HEAD_RATE, HEAD_RATE, 0, lambda step, loss: None)
    texts = [example.text for example in EXAMPLES]
    return dict(zip(texts, predict(model, encode(tokenizer, texts)).tolist(), strict=True))


def show_live(sentences: int, steps: int) -> None:
    """Trains the head and shows what it says of the film's sentence, or says what is needed for that."""
    if not at_hand():
        prose("Not measured here: that takes the encoder and the ratings, `make sentiment feedback-data`.")
        return
    scores = live_head(sentences, steps)
    prose(
        "The head, trained just now on {sentences} sentences: {film:+.2f} for *This film is inspiring.*, {bad:+.2f} for *This film is "
        "not inspiring.* The tokenizer reads the first as `{english}`, and {chinese} as `{marks}`.",
        sentences=sentences,
        film=scores[IN_ENGLISH],
        bad=scores["This film is not inspiring."],
        chinese=IN_CHINESE,
        english=" ".join(pieces(IN_ENGLISH)),
        marks=" ".join(pieces(IN_CHINESE)),
    )
