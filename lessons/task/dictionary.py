"""The pronouncing dictionaries: words, their pronunciations, and the split into training, development and test."""

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from functools import cache
from importlib import resources

from lessons.task.vocabulary import Vocabulary, tokenize, vocabulary

__all__ = [
    "ACCENTS",
    "PARTS",
    "Vocabulary",
    "fine_tuning_words",
    "load",
    "pairs",
    "part_of",
    "tokenize",
    "unseen_symbols",
    "vocabulary",
    "words",
]

ACCENTS = ("american", "british", "cmu")
PARTS = ("train", "development", "test")
TEST_SHARE, DEVELOPMENT_SHARE = 0.04, 0.02


@cache
def load(accent: str) -> dict[str, tuple[str, ...]]:
    """Every word of a dictionary with its pronunciations, the usual one first; words are in alphabetical order."""
    if accent not in ACCENTS:
        raise ValueError(f"unknown accent {accent!r}; there are {', '.join(ACCENTS)}")
    lines = _read_whole(accent).splitlines()
    entries = (line.split("\t") for line in lines)
    return {word: tuple(pronunciations) for word, *pronunciations in entries}


def part_of(word: str) -> str:
    """The side of the split that a word is on: its hash decides, so that it is the same in every accent."""
    place = _hash(word) / 2**160
    if place < TEST_SHARE:
        return "test"
    return "development" if place < TEST_SHARE + DEVELOPMENT_SHARE else "train"


def words(accent: str, part: str, limit: int | None = None, seed: int | None = None) -> list[str]:
    """The words of one part in a fixed mixed order; a smaller `limit` gives the beginning of a larger one.

    Another `seed` gives another order. A word that is in two accents has the same place among the others in both.
    """
    if part not in PARTS:
        raise ValueError(f"unknown part {part!r}; there are {', '.join(PARTS)}")
    chosen = _split(accent)[part]
    if limit is not None and not 0 <= limit <= len(chosen):
        raise ValueError(f"{limit} words asked for; the {part} part of {accent} holds {len(chosen)}")
    return sorted(chosen, key=lambda word: _hash(f"{seed or 0}:{word}"))[:limit]


def fine_tuning_words(accent: str = "british", count: int = 1000) -> list[str]:
    """The words that every fine-tuning technique learns from."""
    return words(accent, "train", limit=count)


def pairs(accent: str, words: Iterable[str], all_pronunciations: bool = False) -> list[tuple[list[int], list[int]]]:
    """(source, target) ids of each word: its first pronunciation, or a pair for each listed one."""
    dictionary, tokens, words = load(accent), vocabulary(), list(words)
    for word in words:
        if word not in dictionary:
            raise ValueError(f"{word!r} is not in the {accent} dictionary of {len(dictionary):,} words")
    return [
        (tokens.encode_word(word), tokens.encode_pronunciation(pronunciation))
        for word in words
        for pronunciation in dictionary[word][: None if all_pronunciations else 1]
    ]


def unseen_symbols(accent: str = "american") -> list[int]:
    """The ids of the symbols that no training pronunciation of the accent holds: pretraining must mask them."""
    listed = load(accent)
    seen = set(tokenize("".join(text for word in _split(accent)["train"] for text in listed[word])))
    return [token for symbol, token in vocabulary().symbol_ids.items() if symbol not in seen]


@cache
def _split(accent: str) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    for word in load(accent):
        parts[part_of(word)].append(word)
    return parts


def _read_whole(accent: str) -> str:
    """The unpacked dictionary, after its hash is checked."""
    folder = resources.files("lessons") / "data"
    file, repair = folder / f"{accent}.tsv.gz", "`python -m lessons.data.build` makes it anew"
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing; {repair}")
    try:
        content = gzip.decompress(file.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{file} is damaged ({error}); {repair}") from error
    found = hashlib.sha256(content).hexdigest()
    if f"{found}  {accent}.tsv" not in (folder / "SHA256SUMS").read_text().splitlines():
        raise ValueError(f"{file} is not the dictionary of SHA256SUMS: its text has the sha256 {found}; {repair}")
    return content.decode()


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha1(text.encode(), usedforsecurity=False).digest())
