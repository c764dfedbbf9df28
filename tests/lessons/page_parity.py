"""What the page says against what PyTorch says, word for word, in a real browser.

    python -m tests.lessons.page_parity                      3,000 words × every technique × 5 strengths: two hours of one core
    python -m tests.lessons.page_parity --words 300          fewer

The tests take a part of this product (test_page.py). The whole is kept in lessons/results/page_parity.json; a pair of
technique and strength that the file holds already, of this base, this JavaScript and these words, is not compared again.
"""

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from lessons.page.command import page
from lessons.page.contents import contents
from lessons.page.strength import at_strength
from lessons.page.voices import page_folders, page_voice
from lessons.page.words import source
from lessons.task.base import base_hash
from lessons.task.dictionary import vocabulary, words
from lessons.task.machine import set_threads
from lessons.task.outputs import out_file
from lessons.task.scoring import predict
from lessons.teaching.notebooks import LESSONS
from tests.lessons.page_browser import opened
from transformer.learning.formats import read_json, write_json

KEPT = LESSONS / "results" / "page_parity.json"
STRENGTHS = (0.0, 0.3, 0.6, 1.0, 1.25)
WORDS = 3000
AT_ONCE = 500
TIE = 1e-4
"""Where the two likeliest symbols of PyTorch are nearer than this, rounding may choose the other."""

SPEAK = """([name, strength, words]) => {
  const technique = contents.techniques.find(each => each.name === name);
  const model = window.held ??= new Transformer(contents.config, base.base);
  if (model.technique !== technique) model.put(technique, strength); else model.setStrength(strength);
  return words.map(word => spoken(model.generate(encode(word), mostFor(word)).tokens).join(""));
}"""


def held_words(count: int = WORDS) -> list[str]:
    """Held-out British words, in their fixed mixed order."""
    return words("british", "test", count)


def compared(visit: Any, model: Any, method: str, strength: float, chosen: Sequence[str]) -> dict[str, Any]:
    """How many words are said alike; which are not, and of these those that a rounding decides.

    `model`   at this strength
    """
    here: list[str] = []
    for first in range(0, len(chosen), AT_ONCE):  # in one call, so that nothing interrupts the JavaScript
        here += visit.evaluate(SPEAK, [method, strength, chosen[first : first + AT_ONCE]])
    said = predict(model, chosen)
    unequal = [(word, mine, said[word]) for word, mine in zip(chosen, here, strict=True) if mine != said[word]]
    wrong = [each for each in unequal if not tied(model, each[0], each[2])]
    return {
        "words": len(chosen),
        "equal": len(chosen) - len(unequal),
        "tied": len(unequal) - len(wrong),
        "wrong": wrong,
    }


def tied(model: Any, word: str, said: str) -> bool:
    """Whether PyTorch nearly said something else at some point of what it said."""
    tokens = vocabulary()
    if not set(said) <= set(tokens.symbols):
        return False
    logits = model(torch.tensor([tokens.encode_word(word)]), torch.tensor([[1, *tokens.encode_pronunciation(said)]]))
    best = logits[0].topk(2).values
    return bool(((best[:, 0] - best[:, 1]) < TIE).any())


def about(count: int) -> dict[str, Any]:
    """What a kept result is of: the base, the JavaScript that computes, the words."""
    scripts = hashlib.sha256("".join(source(name) for name in ("weights.js", "transformer.js")).encode())
    return {"base": base_hash(), "scripts": scripts.hexdigest()[:16], "words": count, "strengths": list(STRENGTHS)}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lessons.page_parity", description=__doc__)
    parser.add_argument("--words", type=int, default=WORDS, metavar="N")
    parser.add_argument("--out", type=out_file, default=KEPT, metavar="FILE.json")
    options = parser.parse_args(arguments)
    set_threads()
    known, chosen = about(options.words), held_words(options.words)
    found = read_json(options.out) if options.out.is_file() else {}
    techniques = found["techniques"] if all(found.get(name) == value for name, value in known.items()) else {}
    folders = page_folders()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(page(*contents(folders)), encoding="utf-8")
        with opened(file) as visit:
            for method in [name for name in folders if len(techniques.get(name, {})) < len(STRENGTHS)]:
                model = page_voice(method, folders[method])
                row = techniques.setdefault(method, {})
                for strength in [each for each in STRENGTHS if str(each) not in row]:
                    with at_strength(model, strength), torch.no_grad():
                        row[str(strength)] = compared(visit, model, method, strength, chosen)
                    command = f"python -m tests.lessons.page_parity --words {options.words}"
                    write_json(options.out, {"command": command, **known, "techniques": techniques})
                    print(f"{method} at {strength}: {row[str(strength)]}", flush=True)
    return int(any(row["wrong"] for method in techniques.values() for row in method.values()))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
