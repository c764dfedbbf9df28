"""The pronouncing dictionaries: words, their pronunciations, the split, and the vocabulary of the model.

A pronunciation is a string of symbols of the International Phonetic Alphabet (IPA), one character each, so that a
string has exactly one reading as tokens. A diphthong is two symbols: the American oʊ and the British əʊ then share
one, and British English brings a single symbol that American English lacks, ɒ. A stress mark stands before the
vowel that it stresses and is a symbol like the others.
"""

import gzip
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import resources

ACCENTS = ("american", "british", "cmu")
PARTS = ("train", "development", "test")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Ids follow this order and are part of every checkpoint: append, never insert.
SYMBOLS = "ˈˌ" + "iɪeɛæaɑɒɔoʊuʌəɜᵻ" + "pbtdkɡʔɾmnŋfvθðszʃʒhʧʤlɹjw"

TEST_SHARE, DEVELOPMENT_SHARE = 0.04, 0.02


class Vocabulary:
    """Token ids: 0 padding, 1 begin, 2 end, then the letters of the source, then the symbols of the target.

    The letter b and the sound b are different tokens.
    """

    pad_id, bos_id, eos_id = 0, 1, 2

    def __init__(self, letters: str = LETTERS, symbols: str = SYMBOLS):
        self.letters = letters
        self.symbols = symbols
        self.letter_ids = {letter: 3 + index for index, letter in enumerate(letters)}
        self.symbol_ids = {symbol: 3 + len(letters) + index for index, symbol in enumerate(symbols)}
        self._texts = ["", "", "", *letters, *symbols]

    def __len__(self) -> int:
        return len(self._texts)

    def encode_word(self, word: str) -> list[int]:
        """The source: the word's letters, then end."""
        return [*self._ids(word, self.letter_ids, "word"), self.eos_id]

    def encode_pronunciation(self, text: str) -> list[int]:
        """The target without its begin token: the pronunciation's symbols, then end."""
        return [*self._ids(text, self.symbol_ids, "pronunciation"), self.eos_id]

    def decode(self, ids: Iterable[int]) -> str:
        """The text up to the end token; begin and padding are left out."""
        text = ""
        for token in ids:
            if token == self.eos_id:
                break
            if not 0 <= token < len(self):
                raise ValueError(f"token {int(token)} is outside the vocabulary of {len(self)} tokens")
            text += self._texts[token]
        return text

    @staticmethod
    def _ids(text: str, table: dict[str, int], kind: str) -> list[int]:
        if not text:
            raise ValueError(f"the {kind} is empty; give at least one of: {''.join(table)}")
        unknown = sorted(set(text) - set(table))
        if unknown:
            raise ValueError(f"the {kind} {text!r} holds {unknown}; allowed are only: {''.join(table)}")
        return [table[character] for character in text]


@cache
def vocabulary() -> Vocabulary:
    """The one vocabulary of all dictionaries and of every checkpoint."""
    return Vocabulary()


def tokenize(text: str) -> list[str]:
    """A pronunciation's symbols: every character is one."""
    return list(text)


@cache
def load(accent: str) -> dict[str, tuple[str, ...]]:
    """Every word of a dictionary with its pronunciations, the usual one first; words are in alphabetical order."""
    if accent not in ACCENTS:
        raise ValueError(f"unknown accent {accent!r}; there are {', '.join(ACCENTS)}")
    file = resources.files("lessons") / "data" / f"{accent}.tsv.gz"
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing; `python -m lessons.data.build` makes it")
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
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
    chosen = [word for word in load(accent) if part_of(word) == part]
    if limit is not None and not 0 <= limit <= len(chosen):
        raise ValueError(f"{limit} words asked for; the {part} part of {accent} holds {len(chosen)}")
    return sorted(chosen, key=lambda word: _hash(f"{seed or 0}:{word}"))[:limit]


def fine_tuning_words(accent: str = "british", count: int = 1000) -> list[str]:
    """The words that every fine-tuning technique learns from."""
    return words(accent, "train", limit=count)


def pairs(accent: str, words: Iterable[str], all_pronunciations: bool = False) -> list[tuple[list[int], list[int]]]:
    """(source, target) ids of each word: its first pronunciation, or a pair for each listed one."""
    dictionary, tokens = load(accent), vocabulary()
    return [
        (tokens.encode_word(word), tokens.encode_pronunciation(pronunciation))
        for word in words
        for pronunciation in dictionary[word][: None if all_pronunciations else 1]
    ]


def unseen_symbols(accent: str = "american") -> list[int]:
    """The ids of the symbols that no training pronunciation of the accent holds: pretraining must mask them."""
    training = (listed for word, listed in load(accent).items() if part_of(word) == "train")
    seen = set(tokenize("".join(text for listed in training for text in listed)))
    return [token for symbol, token in vocabulary().symbol_ids.items() if symbol not in seen]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha1(text.encode(), usedforsecurity=False).digest())
