"""`read_gguf`: a file as a Hugging Face checkpoint, so that nothing that is built of it needs to know of GGUF."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float32
from torch import Tensor

from transformer.fields import the_first
from transformer.pretrained.gguf.container import Container, read_container
from transformer.pretrained.gguf.hf_config import hf_config
from transformer.pretrained.gguf.hf_names import Place, in_hf_order, places
from transformer.pretrained.gguf.table import Entry
from transformer.pretrained.gguf.vocabulary import Vocabulary, read_vocabulary

FOUR_BITS = ("Q4_0", "Q4_1")
Found = dict[str, tuple[Entry, Place]]


class LazyTensors(Mapping):
    """HF's names → tensors in float32. Each is read and decoded anew when it is asked for, and is the caller's own."""

    def __init__(self, container: Container, found: Found):
        self.container, self.found = container, found

    def __getitem__(self, name: str) -> Float32[Tensor, "..."]:
        entry, place = self.found[name]
        weights = self.container.tensor(entry)
        return in_hf_order(weights, place.turned) if place.turned else weights

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)


@dataclass(frozen=True)
class GGUFFile:
    """A language model's file.

    `config`           its settings as in a config.json
    `tensors`          its weights, by HF's names; rows of queries and keys are in HF's order
    `formats`          how each is kept in the file: "Q4_1", "F32", ...
    `tokenizer`        its vocabulary, None where the file has none
    `chat_template`    a Jinja template, None where the file has none
    """

    path: Path
    config: dict[str, Any]
    tensors: LazyTensors
    tokenizer: Vocabulary | None
    chat_template: str | None

    @property
    def formats(self) -> dict[str, str]:
        return {name: entry.format.name for name, (entry, _) in self.tensors.found.items()}

    def packed(self, name: str) -> dict[str, Tensor]:
        """A matrix as it is kept, in four bits: `codes` (d_out, d_in/2), `scales` and `minimums` (d_out, d_in/32).

        `minimums` are None for Q4_0. `quant.LinearQ4.from_blocks` takes them.

        Raises KeyError for a name that is not there, ValueError for a tensor that is not kept in four bits, and for
        constants that are not finite.
        """
        entry, place = self.tensors.found[name]
        if entry.format.name not in FOUR_BITS or len(entry.shape) != 2:
            raise ValueError(
                f"{self.path}: {name} is kept in {entry.format.name}; a matrix in {' or '.join(FOUR_BITS)} has four bits"
            )
        blocks = self.tensors.container.blocks(entry)
        parts = {"codes": blocks["q"].reshape(-1), "scales": blocks["d"]}
        if "m" in (blocks.dtype.names or ()):
            parts["minimums"] = blocks["m"]
        if not all(np.isfinite(constants).all() for part, constants in parts.items() if part != "codes"):
            raise ValueError(f"{self.path} is corrupted: {name} holds NaN or infinite scales; fetch it again")
        packed = {}
        for part, flat in parts.items():
            rows = rearrange(torch.from_numpy(flat.copy()), "(d_out many) -> d_out many", d_out=entry.shape[0])
            packed[part] = in_hf_order(rows, place.turned) if place.turned else rows
        return packed


def read_gguf(path: str | Path) -> GGUFFile:
    """Reads the header; the weights follow when they are asked for.

    Raises FileNotFoundError, or ValueError that names the file and what in it is wrong or not supported.
    """
    container = read_container(path)
    try:
        config = hf_config(container.values, vocab_size(container))
        vocabulary = read_vocabulary(container.values)
        config |= token_ids(vocabulary, config["vocab_size"])
        tied = "output.weight" not in container.entries
        found = fitting(container, places_of(container, config, tied))
        template = container.values.get("tokenizer.chat_template")
        if not isinstance(template, str | None):
            raise ValueError("tokenizer.chat_template is no text")
    except ValueError as error:
        raise ValueError(f"{container.path} cannot be used: {error}") from error
    config["tie_word_embeddings"] = tied
    return GGUFFile(container.path, config, LazyTensors(container, found), vocabulary, template)


def vocab_size(container: Container) -> int:
    """The rows of the embedding."""
    entry = container.entries.get("token_embd.weight")
    if entry is None or len(entry.shape) != 2:
        raise ValueError("there is no matrix token_embd.weight: it is no language model's file")
    return entry.shape[0]


def token_ids(vocabulary: Vocabulary | None, rows: int) -> dict[str, int | None]:
    """The ids in config.json. Raises ValueError where there are more tokens than rows of the embedding."""
    if vocabulary is None:
        return {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    if len(vocabulary.tokens) != rows:
        raise ValueError(f"{len(vocabulary.tokens)} tokens do not fit {rows} rows of token_embd.weight")
    return {"bos_token_id": vocabulary.bos_id, "eos_token_id": vocabulary.eos_id, "pad_token_id": vocabulary.pad_id}


def places_of(container: Container, config: Mapping[str, Any], tied: bool) -> dict[str, Place]:
    """The table of places. Raises ValueError where there cannot be so many layers, before it is made."""
    layers = config["num_hidden_layers"]
    if layers > len(container.entries):
        raise ValueError(f"block_count is {layers}, and there are {len(container.entries)} tensors")
    return places(config, tied)


def fitting(container: Container, expected: Mapping[str, Place]) -> Found:
    """HF's names → the tensors. Raises ValueError with all that are missing, unknown or of another shape."""
    entries = container.entries
    problems = [f"missing {name}" for name in expected if name not in entries]
    problems += [f"unknown {name}" for name in entries if name not in expected]
    problems += [
        f"{name} is {entries[name].shape}, the settings say {place.shape}"
        for name, place in expected.items()
        if name in entries and entries[name].shape != place.shape
    ]
    if problems:
        raise ValueError(the_first(problems))
    return {place.name: (entries[name], place) for name, place in expected.items()}
