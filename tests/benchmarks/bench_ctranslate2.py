"""Marian's greedy decoding beside CTranslate2, which is written in C++ for nothing else, and beside transformers.

    python -m tests.benchmarks.bench_ctranslate2 [--rounds N]

d 256, 3 + 3 layers, 24 tokens of source, 48 new ones, the same random weights, the same tokens. CTranslate2 is one more line of
tests/parity/requirements.txt; where it is not installed this says so and measures nothing.
"""

import argparse
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from tests.benchmarks.bench_published import LENGTH, decoders
from tests.benchmarks.hugging_face import HuggingFace, marian, run_under_parity_python, same_model
from tests.benchmarks.timing import by_turns, machine, milliseconds, ratio

D_MODEL, SOURCE, VOCAB = 256, 24, 1000
WANTED = {1: 2.3, 64: 1.6}
TYPES = ("float32", "int8")


def converted(model: Any, folder: Path) -> Path:
    """The model as CTranslate2 keeps it. It has no row for padding, the last id; the others are words "0", "1", ..."""
    from ctranslate2.converters.transformers import MarianMTLoader

    spec = MarianMTLoader().get_model_spec(model)
    words = ["</s>", *(str(id) for id in range(1, VOCAB - 2)), "<unk>"]
    spec.register_source_vocabulary(words)
    spec.register_target_vocabulary(words)
    spec.config.eos_token, spec.config.unk_token, spec.config.decoder_start_token = "</s>", "<unk>", "</s>"
    spec.config.add_source_eos = False
    spec.validate()
    spec.optimize()
    folder.mkdir()
    spec.save(str(folder))
    return folder


def decoder(folder: Path, kind: str, source: Tensor) -> Callable[[], list[list[int]]]:
    """The ids that CTranslate2 says, with as many threads as torch has."""
    import ctranslate2

    translator = ctranslate2.Translator(
        str(folder), device="cpu", compute_type=kind, inter_threads=1, intra_threads=torch.get_num_threads()
    )
    words = [[str(id) for id in row] for row in source.tolist()]

    def said() -> list[list[int]]:
        found = translator.translate_batch(words, beam_size=1, max_decoding_length=LENGTH, min_decoding_length=LENGTH)
        return [[int(word) for word in each.hypotheses[0]] for each in found]

    return said


def main() -> None:
    run_under_parity_python("tests.benchmarks.bench_ctranslate2")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    if importlib.util.find_spec("ctranslate2") is None:
        print("There is no ctranslate2 beside transformers: `make parity` installs it, and then its column is here.")
        return
    hf, console = HuggingFace(), Console(width=120)
    console.print(f"{machine()}; transformers {hf.transformers.__version__}")
    torch.manual_seed(0)
    model = marian(hf.transformers, D_MODEL, vocab=VOCAB)
    table = Table(title=f"Greedy, Marian d {D_MODEL}, {LENGTH} tokens", caption="× the speed of transformers' generate")
    for header in ("batch", "theirs, ms", "ours", "wanted", *(f"CTranslate2 {kind}" for kind in TYPES)):
        table.add_column(header, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        pair, kept = same_model(model, attention="fused"), converted(model, Path(folder) / "marian")
        for rows, wanted in WANTED.items():
            source = torch.randint(1, VOCAB - 2, (rows, SOURCE))
            ours, theirs = decoders(pair, source)
            others = {kind: decoder(kept, kind, source) for kind in TYPES}
            if others["float32"]() != ours()[:, 1:].tolist():
                raise ValueError("CTranslate2 says something else than ours")
            took = by_turns({"ours": ours, "theirs": theirs} | others, options.rounds)
            faster = [f"{ratio(took, 'theirs', name):.2f} ×" for name in ("ours", *TYPES)]
            table.add_row(str(rows), f"{milliseconds(took, 'theirs'):.0f}", faster[0], f"≥ {wanted} ×", *faster[1:])
    console.print(table)


if __name__ == "__main__":
    main()
