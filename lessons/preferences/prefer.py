"""Be the judge: which of two pronunciations of a word is the better one?

    python -m lessons prefer                       British words, 40 pairs
    python -m lessons prefer --accent american --words 100 --out mine.jsonl
    python -m lessons prefer --train mine.jsonl    DPO with LoRA on what was
                                                   judged (prefer_training.py)

Two pronunciations are sampled from the model that speaks the accent. Type 1 or
2 for the better one, s to skip the pair, q to stop, each with Enter. A line is
written at every judgement, so that nothing is lost when the program is killed,
and the next call goes on with the words that have no line yet.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.language.words import say, tell
from lessons.preferences.prefer_training import read_judged, speaker, train_on
from lessons.task.dictionary import tokenize, vocabulary, words
from lessons.task.machine import set_threads
from lessons.task.outputs import out_file
from lessons.task.scoring import source_batch
from lessons.task.shipped import shipped
from rlhf import append_preference
from transformer import generate

AMERICAN = "american"
KEPT = Path("runs/prefer/preferences.jsonl")
FRESH = "development"
"""The part of the dictionary that is judged. What the base was trained on it says the same way twice."""
SAMPLED_AT_ONCE, LONGEST = 32, 32
QUESTION = "1 / 2 / s(kip) / q(uit):"


@dataclass(frozen=True)
class Pair:
    """A word and two different ways to say it, both sampled."""

    word: str
    sides: tuple[str, str]


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    set_threads(options.threads)
    if options.train:
        train_on(options.train, options.test_words, options.seed)
        return 0
    path = options.out
    judged = judged_words(path, options.accent)
    fresh = [word for word in words(options.accent, FRESH) if word not in judged]
    count = judge(sampled_pairs(speaker(options.accent), fresh, options.seed), path, options.accent, options.words)
    print(in_language(f"{count} judged now, {len(judged) + count} in all: {path}"))
    if count:
        print(in_language(f"train on them: python -m lessons prefer --train {path}"))
    return 0


def judge(pairs: Iterable[Pair], path: Path, accent: str, count: int) -> int:
    """Asks until `count` pairs are judged, or the person stops; returns how many were."""
    tokens, done = vocabulary(), 0
    print(in_language(f"Which is better {accent.capitalize()} English?") + "\n")
    for pair in pairs:
        if done == count:
            break
        place = tell("({place} of {count})", place=done + 1, count=count)
        print(f"{pair.word}  {place}\n   1  {pair.sides[0]}\n   2  {pair.sides[1]}")
        key = answer()
        if key == "q":
            break
        if key == "s":
            continue
        better, worse = pair.sides if key == "1" else pair.sides[::-1]
        append_preference(
            path,
            tokens.encode_word(pair.word),
            tokens.encode_pronunciation(better),
            tokens.encode_pronunciation(worse),
            word=pair.word,
            better=better,
            worse=worse,
            accent=accent,
        )
        done += 1
    return done


def answer() -> str:
    """1, 2, s or q; asks again for anything else. The end of the input and Ctrl-C mean q: what was judged is on disk."""
    while True:
        try:
            key = input(f"{say(QUESTION)} ").strip().lower()
        except (EOFError, KeyboardInterrupt):
            print()
            return "q"
        if key in ("1", "2", "s", "q"):
            return key


def judged_words(path: Path, accent: str) -> set[str]:
    """The words that a file holds already. Raises ValueError for a damaged file and for one of another accent."""
    if not path.is_file():
        return set()
    file_accent, _ = read_judged(path)
    if file_accent != accent:
        raise ValueError(f"{path} holds {file_accent} pairs: name another file for {accent} with --out")
    text = path.read_text(encoding="utf-8")
    if not text.endswith("\n"):  # someone has edited the file: the next pair begins on a line of its own
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
    return {json.loads(line).get("word", "") for line in text.splitlines()}


def sampled_pairs(model: nn.Module, chosen: Sequence[str], seed: int) -> Iterator[Pair]:
    """Two samples of each word; words that are said the same way twice, or not said in sounds, are passed over."""
    tokens, generator = vocabulary(), torch.Generator().manual_seed(seed)
    known = set(tokens.symbols)
    for start in range(0, len(chosen), SAMPLED_AT_ONCE):
        some = chosen[start : start + SAMPLED_AT_ONCE]
        source = source_batch(some)
        both = [generate(model, source, LONGEST, do_sample=True, generator=generator)[:, 1:] for _ in range(2)]
        for word, *ids in zip(some, *(side.tolist() for side in both), strict=True):
            one, other = (tokens.decode_pronunciation(side) for side in ids)
            if one != other and all(side and known.issuperset(tokenize(side)) for side in (one, other)):
                yield Pair(word, (one, other))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Options("prefer", __doc__)
    accents = [AMERICAN, *shipped("lora")]
    parser.add_argument("--words", type=int, default=40, help="how many pairs to judge (default: 40)")
    parser.add_argument("--accent", choices=accents, default="british", help="whose sounds (default: british)")
    parser.add_argument("--out", type=out_file, default=KEPT, help=f"the file that is added to (default: {KEPT})")
    parser.add_argument("--train", type=Path, metavar="FILE", help="train on a file of judged pairs instead")
    parser.add_argument("--test-words", type=int, default=300, help="held-out words to test on (default: 300)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="default: FT_THREADS, else every core")
    options = parser.parse_args(arguments)
    if options.words < 1 or options.test_words < 1:
        raise ValueError(f"--words {options.words} and --test-words {options.test_words} must be at least 1")
    return options
