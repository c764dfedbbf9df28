"""What the page holds: the base, the techniques, the vocabulary, and what is known of each (`contents`)."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lessons.drawing.families import family
from lessons.page.packing import Packed
from lessons.page.parts import technique_parts
from lessons.page.voices import page_base, page_voice
from lessons.page.wording import NAMES, place_of, strength_words
from lessons.page.words import say, table
from lessons.task.base import base_hash, model_card
from lessons.task.dictionary import load, vocabulary
from lessons.task.scoring import LONGEST_OUTPUT
from peft import PeftModel
from quant import Linear4bit

EXAMPLES = ("tomato", "schedule", "bath", "laboratory", "lot", "advertisement", "privacy", "butter", "water", "clerk")
FIELDS = ("d_model", "num_heads", "num_encoder_layers", "num_decoder_layers", "d_ff", "vocab_size", "max_length")
MORE_FIELDS = ("activation", "layer_norm_eps", "pad_id", "bos_id", "eos_id")


def contents(folders: Mapping[str, Path], strengths: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], str]:
    """(what the page says as JSON, its tensors as text). Raises ValueError for a base that transformer.js does not run."""
    packed, base = Packed(), page_base()
    config = asdict(base.config)
    if config["norm"] != "pre" or config["positions"] != "sinusoidal" or not config["tie_embeddings"]:
        raise ValueError(
            "transformer.js runs a pre-norm base with sinusoidal positions and tied matrices, not this one"
        )
    for name, tensor in base.named_parameters():
        packed.add(f"base/{name}", tensor)
    techniques = [described(name, folder, packed) for name, folder in folders.items()]
    tokens = vocabulary()
    said: dict[str, Any] = {
        "config": {name: config[name] for name in FIELDS + MORE_FIELDS},
        "letters": tokens.letters,
        "symbols": tokens.symbols,
        "longest": LONGEST_OUTPUT,
        "base": {"hash": base_hash(), "parameters": sum(p.numel() for p in base.parameters()), "card": model_card()},
        "techniques": techniques,
        "examples": [{"word": word, **listed(word)} for word in EXAMPLES],
        "strengths": strengths,
        "words": table(),
    }
    text = packed.text()
    return said | {"index": packed.index}, text


def listed(word: str) -> dict[str, str]:
    """What each dictionary says first."""
    return {accent: load(accent).get(word, ("",))[0] for accent in ("american", "british")}


def described(name: str, folder: Path, packed: Packed) -> dict[str, Any]:
    """One technique: its parts, its size, its place and family; its tensors go into `packed`."""
    model = page_voice(name, folder)
    parts, tensors = technique_parts(model)
    for path, tensor in tensors.items():
        packed.add(f"{name}/{path}", tensor)
    kind = family(name)
    return {
        "name": name,
        "title": say(NAMES.get(name, name)),
        "family": say(kind.name),
        "colour": kind.colour,
        "place": place_of(model),
        "strength": say(strength_words(model)),
        "parameters": sum(p.numel() for p in model.adapters["default"].own_parameters().values()),
        "bytes": (folder / "adapter_model.safetensors").stat().st_size,
        **parts,
        "fourBit": four_bits(name, model, packed),
    }


def four_bits(name: str, model: PeftModel, packed: Packed) -> dict[str, Any] | None:
    """Of a base in 4 bits the codebook and, in 32 bits, the scales as their 8 bits give them back."""
    layers = {path: m for path, m in model.base_model.named_modules() if isinstance(m, Linear4bit)}
    if not layers:
        return None
    scales = {}
    for path, layer in layers.items():
        weight = f"{path.removesuffix('.base')}.weight"
        scales[weight] = f"{name}/scales.{weight}"
        packed.add(scales[weight], layer.quantized.scales, bits=32)
    return {"codebook": next(iter(layers.values())).codebook.tolist(), "scales": scales}
