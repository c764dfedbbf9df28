"""Byte-pair encoding in plain loops: words by GPT-2's rule, bytes as printable characters, merges in their order."""

import unicodedata
from itertools import pairwise

SPACES = {*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
ENDINGS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


def byte_characters() -> list[str]:
    """The character that stands for each byte: itself where it is printable, else the next one from 256 on."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    characters, spare = [], 256
    for byte in range(256):
        characters.append(chr(byte if byte in printable else spare))
        spare += byte not in printable
    return characters


def kind(character: str) -> str:
    """L a letter, N a number, S white space, O any other."""
    if ord(character) in SPACES:
        return "S"
    first = unicodedata.category(character)[0]
    return first if first in "LN" else "O"


def words(text: str) -> list[str]:
    """'s|'t|'re|'ve|'m|'ll|'d| ?letters| ?numbers| ?others|spaces before a space or the end|spaces."""
    found, at = [], 0
    while at < len(text):
        ending = next((ending for ending in ENDINGS if text.startswith(ending, at)), None)
        start = at + 1 if text[at] == " " and at + 1 < len(text) and kind(text[at + 1]) != "S" else at
        if ending:
            stop = at + len(ending)
        elif kind(text[start]) == "S":
            stop = at
            while stop < len(text) and kind(text[stop]) == "S":
                stop += 1
            if stop < len(text) and stop - at > 1:
                stop -= 1  # the last one belongs to the word that follows
        else:
            stop = start
            while stop < len(text) and kind(text[stop]) == kind(text[start]):
                stop += 1
        found.append(text[at:stop])
        at = stop
    return found


def pieces(text: str, special: list[str]) -> list[tuple[str, bool]]:
    """The text cut at special tokens: the leftmost, of several the longest. True: it is one."""
    found, rest = [], 0
    at = 0
    while at < len(text):
        here = max((token for token in special if text.startswith(token, at)), key=len, default=None)
        if here:
            found += [(text[rest:at], False), (here, True)]
            at = rest = at + len(here)
        else:
            at += 1
    return [*found, (text[rest:], False)]


def digits_alone(text: str) -> list[str]:
    found = [""]
    for character in text:
        if kind(character) == "N":
            found += [character, ""]
        else:
            found[-1] += character
    return [part for part in found if part]


def merged(parts: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    while len(parts) > 1:
        pairs = list(pairwise(parts))
        at = min(range(len(pairs)), key=lambda i: ranks.get(pairs[i], len(ranks)))
        if pairs[at] not in ranks:
            return parts
        pair = pairs[at]
        joined, i = [], 0
        while i < len(parts):
            both = tuple(parts[i : i + 2]) == pair
            joined.append("".join(pair) if both else parts[i])
            i += 2 if both else 1
        parts = joined
    return parts


def encode(text: str, ids: dict[str, int], ranks: dict[tuple[str, str], int], special: list[str]) -> list[int]:
    """SmolLM's rule: digits alone, then words, bytes, merges. Bytes that are no tokens are left out.

    `ids` of the tokens, `ranks` of the merges, `special`: the tokens that are taken whole
    """
    characters, found = byte_characters(), []
    for piece, is_special in pieces(text, special):
        if is_special:
            found.append(ids[piece])
            continue
        for part in digits_alone(piece):
            for word in words(part):
                bytes_of_word = [characters[byte] for byte in word.encode()]
                found += [ids[token] for token in merged([one for one in bytes_of_word if one in ids], ranks)]
    return found
