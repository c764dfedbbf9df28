"""Errors at every strength, for the page's curves: each technique, both accents, held-out words.

    python -m lessons.page.measure --words 500 --out lessons/results/strength.json

It measures the models as the page holds them, in 16 bits, and says beside them of how many words the rounding changed
what is said. What a file of this base holds already is not measured again.
"""

import argparse
import sys
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from lessons.page.strength import at_strength
from lessons.page.voices import exact_voice, page_folders, page_voice
from lessons.task.base import base_hash
from lessons.task.dictionary import words
from lessons.task.machine import set_threads
from lessons.task.outputs import out_file
from lessons.task.scoring import predict, score
from transformer.learning.formats import read_json, write_json

STRENGTHS = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.125, 1.25)
ACCENTS = ("american", "british")


def kept_file() -> Path:
    return Path(str(resources.files("lessons") / "results" / "strength.json"))


def kept_strengths() -> dict[str, Any] | None:
    """What is kept, if it is of this base."""
    kept = read_json(kept_file()) if kept_file().is_file() else None
    return kept if kept and kept["base"] == base_hash() else None


def measured(method: str, folder: Path, count: int, strengths: tuple[float, ...] = STRENGTHS) -> dict[str, Any]:
    """For each accent the phoneme error at each strength; and the share of words that 16 bits say otherwise."""
    parts = {accent: words(accent, "test", count) for accent in ACCENTS}
    model = page_voice(method, folder)
    row: dict[str, Any] = {accent: [] for accent in ACCENTS}
    for strength in strengths:
        with at_strength(model, strength):
            for accent, chosen in parts.items():
                said = predict(model, chosen)
                row[accent].append(asdict(score(said, accent))["phoneme_error"])
    rounded, exact = (predict(voice, parts["british"]) for voice in (model, exact_voice(method, folder)))
    row["changed_by_16_bits"] = sum(rounded[word] != exact[word] for word in rounded) / count
    return row


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m lessons.page.measure", description=__doc__)
    parser.add_argument("--words", type=int, default=500, metavar="N", help="held-out words of each accent")
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="default: every technique whose adapter ships")
    parser.add_argument("--out", type=out_file, default=kept_file(), metavar="FILE.json")
    options = parser.parse_args(arguments)
    set_threads()
    about = {"base": base_hash(), "words": options.words, "strengths": list(STRENGTHS)}
    found = read_json(options.out) if options.out.is_file() else {}
    same = all(found.get(name) == value for name, value in about.items())
    techniques = found["techniques"] if same else {}
    command = f"python -m lessons.page.measure --words {options.words}"
    for method, folder in page_folders().items():
        if method in techniques or (options.methods and method not in options.methods):
            continue
        techniques[method] = measured(method, folder, options.words)
        write_json(options.out, {"command": command, **about, "techniques": techniques})
        print(f"{method}: British {techniques[method]['british'][8]:.1%} at 1", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
