"""The vocabulary of the pronunciation task: letters on the source side, sounds on the target side.

A pronunciation is a string of symbols of the International Phonetic Alphabet (IPA), one character each, so that a
string has exactly one reading as tokens. A diphthong is two symbols: the American oʊ and the British əʊ then share
one, and British English brings a single symbol that American English lacks, ɒ. A stress mark stands before the
vowel that it stresses and is a symbol like the others.
"""

from collections.abc import Iterable
from functools import cache

LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Ids follow this order and are part of every checkpoint: append, never insert.
SYMBOLS = "ˈˌ" + "iɪeɛæaɑɒɔoʊuʌəɜᵻ" + "pbtdkɡʔɾmnŋfvθðszʃʒhʧʤlɹjw"


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

    def __len__(self) -> int:
        return 3 + len(self.letters) + len(self.symbols)

    def encode_word(self, word: str) -> list[int]:
        """The source: the word's letters, then end."""
        return [*_ids(word, self.letter_ids, "word"), self.eos_id]

    def encode_pronunciation(self, text: str) -> list[int]:
        """The target without its begin token: the pronunciation's symbols, then end."""
        return [*_ids(text, self.symbol_ids, "pronunciation"), self.eos_id]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of a source or a target up to its end token; begin and padding are left out."""
        return self._decode(ids, self.letters)

    def decode_pronunciation(self, ids: Iterable[int]) -> str:
        """As `decode`, but a letter reads `?`: it must not pass for the sound that is written the same."""
        return self._decode(ids, "?" * len(self.letters))

    def _decode(self, ids: Iterable[int], letters: str) -> str:
        texts = ["", "", "", *letters, *self.symbols]
        decoded = []
        for token in map(int, ids):
            if token == self.eos_id:
                break
            if not 0 <= token < len(texts):
                raise ValueError(f"token {token} is outside the vocabulary of {len(texts)} tokens")
            decoded.append(texts[token])
        return "".join(decoded)


@cache
def vocabulary() -> Vocabulary:
    """The one vocabulary of all dictionaries and of every checkpoint."""
    return Vocabulary()


def tokenize(text: str) -> list[str]:
    """A pronunciation's symbols: every character is one."""
    return list(text)


def _ids(text: str, table: dict[str, int], kind: str) -> list[int]:
    if not text:
        raise ValueError(f"the {kind} is empty; give at least one of {''.join(table)}")
    unknown = sorted(set(text) - set(table))
    if unknown:
        raise ValueError(f"the {kind} {text!r} holds {', '.join(map(repr, unknown))}; allowed are {''.join(table)}")
    return [table[character] for character in text]
