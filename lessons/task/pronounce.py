"""Pronounce words: the base in American, and an adapter in British.

Beside what is said stands what the dictionaries say.

    python -m lessons pronounce tomato schedule
    python -m lessons pronounce tomato --method bitfit --figure attention.png
    python -m lessons pronounce tomato --method lora --trained-on all
    python -m lessons pronounce tomato --adapter runs/compare/adapters/lora-0

✓: a dictionary lists what was said; ✗: it lists something else; -: it lacks
the word. British is said by the best adapter that was trained on all British
training words; --method takes one of those that learnt from 1,000, --adapter
one of your own. The figure shows which letters the model looks at while it says
each sound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from rich.cells import cell_len
from torch import nn

from lessons.drawing.style import STYLE, saved
from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.language.words import say, tell
from lessons.language.wrapping import padded
from lessons.task.attention_map import draw_attention, letter_attention
from lessons.task.base import load_base
from lessons.task.dictionary import ACCENTS, load, vocabulary
from lessons.task.finetuning import prepared_base
from lessons.task.machine import set_threads
from lessons.task.outputs import out_file
from lessons.task.scoring import predict
from lessons.task.shipped import by_accent, card, on_all_words, shipped
from lessons.task.techniques import add_import_option, import_techniques
from peft import RECIPES, PeftModel, recipe
from transformer import Transformer

AMERICAN, BRITISH = "american", "british"
METHOD = "lora"
FEW, ALL = "1000", "all"


@dataclass(frozen=True)
class Choice:
    """Which adapters speak: a technique, accent → folder, and a line that says how they were trained."""

    method: str
    folders: dict[str, Path]
    said: str


def chosen(method: str | None, trained_on: str | None, adapter: Path | None) -> Choice:
    """The best adapter on all words by default. Raises ValueError, which lists what there is, for one that is not there."""
    best = on_all_words(BRITISH)
    if adapter:
        found = shipped(method or METHOD)
        return Choice(method or METHOD, found | {str(adapter): adapter}, "")
    if trained_on == ALL or (best and not method and not trained_on):
        name = method or next(iter(best), METHOD)
        if name in best:
            return Choice(name, {BRITISH: best[name]}, how_trained(name, best[name]))
    elif found := shipped(method or METHOD):
        return Choice(method or METHOD, found, f"{', '.join(found)}: {method or METHOD}, trained on 1,000 words")
    raise ValueError(f"there is no {method or METHOD} adapter; {what_there_is()}")


def how_trained(method: str, folder: Path) -> str:
    made = card(folder)
    wrong = f"{made[BRITISH]['word_error']:.1%} of {made['test_words']:,} held-out words wrong"
    return f"{BRITISH}: {method}, trained on all {made['training_words']:,} words, {wrong}"


def what_there_is() -> str:
    few = [f"{accent} on 1,000 words: {', '.join(folders)}" for accent, folders in by_accent().items()]
    every = [f"{BRITISH} on all words: {', '.join(on_all_words(BRITISH))}"] if on_all_words(BRITISH) else []
    return "there are " + ("; ".join([*few, *every]) or "none") + ". `python -m lessons compare` trains British ones"


def voices(accents: Sequence[str] | None, choice: Choice) -> dict[str, nn.Module]:
    """A model for each accent: the base itself for American, the base with an adapter for the others."""
    known = [AMERICAN, *choice.folders]
    if unknown := [accent for accent in accents or () if accent not in known]:
        raise ValueError(
            f"there is no {choice.method} adapter for {', '.join(unknown)}; there are {', '.join(known)}. "
            "`python -m lessons compare` trains British ones, and --adapter DIR takes one of them"
        )
    own = [name for name in choice.folders if name not in ACCENTS]
    names = dict.fromkeys([*(accents or known), *own])
    return {name: voice(choice.folders.get(name), choice.method) for name in names}


def voice(folder: Path | None, method: str) -> nn.Module:
    base = load_base()
    return base if folder is None else PeftModel.from_pretrained(prepared_base(method, base), folder)


def check_words(words: Sequence[str], base: Transformer) -> list[str]:
    """The words in lower case. Raises ValueError for one that the model cannot read."""
    longest = base.config.max_length - 1  # the end token takes a place
    lowered = [word.lower() for word in words]
    for word in lowered:
        if len(word) > longest:
            raise ValueError(
                f"{word[:20]!r}... has {len(word)} letters, the model reads at most {longest}: give a part"
            )
        vocabulary().encode_word(word)
    return lowered


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    choice = chosen(options.method, options.trained_on, options.adapter)
    set_threads()
    asked = check_words(options.words, load_base())
    models = voices(options.accent, choice)
    said = {name: predict(model, dict.fromkeys(asked)) for name, model in models.items()}
    head = ["", *(cell for name in said for cell in (say(name), "", say("dictionary")))]
    print_columns(
        [head, *([word, *(cell for name in said for cell in beside(said[name], word, name))] for word in asked)]
    )
    if choice.said and set(choice.folders) & set(models):
        print(f"\n{in_language(choice.said)}")
    if options.figure:
        maps = [{name: letter_attention(model, word) for name, model in models.items()} for word in asked]
        with matplotlib.rc_context(STYLE):
            print(tell("drew {file}", file=saved(draw_attention(maps), options.figure)))
    return 0


def beside(said: dict[str, str], word: str, accent: str) -> tuple[str, str, str]:
    """What was said, whether the dictionary lists it, and what it lists. An adapter of one's own is held to British."""
    listed = load(accent if accent in ACCENTS else BRITISH).get(word)
    if listed is None:
        return said[word], "-", "-"
    right = said[word] in listed
    return said[word], "✓" if right else "✗", said[word] if right else listed[0]


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip())


def parse(arguments: list[str]) -> Any:
    parser = Options("pronounce", __doc__)
    parser.add_argument("words", nargs="+", metavar="WORD")
    parser.add_argument("--accent", nargs="+", metavar="NAME", help="default: every accent there is an adapter for")
    parser.add_argument("--method", metavar="NAME", help=f"of {', '.join(RECIPES)} (default: the best on all words)")
    parser.add_argument("--trained-on", choices=(FEW, ALL), help=f"words (default: {ALL}, and {FEW} with --method)")
    parser.add_argument(
        "--adapter", type=Path, metavar="DIR", help="an adapter folder; --method says how it was trained"
    )
    parser.add_argument("--figure", type=out_file, metavar="FILE.png", help="draw the letter-to-sound attention")
    add_import_option(parser)
    options = parser.parse_args(arguments)
    import_techniques(options.modules)
    if options.method:
        recipe(options.method)
    return options
