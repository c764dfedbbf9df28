"""Pronounce words: the base in American, and every adapter in its own accent.

    python -m lessons pronounce forecast schedule
    python -m lessons pronounce forecast --method bitfit --figure attention.png
    python -m lessons pronounce forecast --adapter runs/compare/adapters/lora-0

Shipped adapters lie in lessons/adapters/ACCENT/METHOD; --adapter adds one of
your own. The figure shows which letters the model looks at while it says each
sound.
"""

import argparse
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import matplotlib
from torch import nn

from lessons.drawing.style import STYLE, saved
from lessons.task.attention_map import draw_attention, letter_attention
from lessons.task.base import load_base
from lessons.task.dictionary import vocabulary
from lessons.task.finetuning import prepared_base
from lessons.task.machine import set_threads
from lessons.task.outputs import out_file
from lessons.task.scoring import predict
from lessons.task.techniques import add_import_option, import_techniques
from peft import RECIPES, PeftModel, recipe
from transformer import Transformer

AMERICAN = "american"
METHOD = "lora"


def adapters_folder() -> Path:
    """Where the shipped adapters lie, inside the package."""
    return Path(str(resources.files("lessons") / "adapters"))


def shipped(method: str) -> dict[str, Path]:
    """Accent → folder of the shipped adapter of this technique."""
    return {folder.parent.name: folder for folder in sorted(adapters_folder().glob(f"*/{method}")) if folder.is_dir()}


def voices(accents: Sequence[str] | None, method: str, adapter: Path | None = None) -> dict[str, nn.Module]:
    """A model for each accent: the base itself for American, the base with an adapter for the others."""
    folders = shipped(method) | ({str(adapter): adapter} if adapter else {})
    known = [AMERICAN, *folders]
    if unknown := [accent for accent in accents or () if accent not in known]:
        raise ValueError(
            f"there is no {method} adapter for {', '.join(unknown)}; there are {', '.join(known)}. "
            "`python -m lessons compare` trains British ones, and --adapter DIR takes one of them"
        )
    chosen = [*(accents or known), *([str(adapter)] if adapter and accents else [])]
    return {accent: voice(folders.get(accent), method) for accent in chosen}


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
    set_threads()
    asked = check_words(options.words, load_base())
    models = voices(options.accent, options.method, options.adapter)
    said = {accent: predict(model, dict.fromkeys(asked)) for accent, model in models.items()}
    print_columns([["", *said], *([word, *(said[accent][word] for accent in said)] for word in asked)])
    if options.figure:
        maps = [{accent: letter_attention(model, word) for accent, model in models.items()} for word in asked]
        with matplotlib.rc_context(STYLE):
            print(f"drew {saved(draw_attention(maps), options.figure)}")
    return 0


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def parse(arguments: list[str]) -> Any:
    parser = argparse.ArgumentParser(
        prog="python -m lessons pronounce", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="+", metavar="WORD")
    parser.add_argument("--accent", nargs="+", metavar="NAME", help="default: every accent there is an adapter for")
    parser.add_argument("--method", default=METHOD, metavar="NAME", help=f"of {', '.join(RECIPES)} (default: {METHOD})")
    parser.add_argument(
        "--adapter", type=Path, metavar="DIR", help="an adapter folder; --method says how it was trained"
    )
    parser.add_argument("--figure", type=out_file, metavar="FILE.png", help="draw the letter-to-sound attention")
    add_import_option(parser)
    options = parser.parse_args(arguments)
    import_techniques(options.modules)
    recipe(options.method)
    return options
