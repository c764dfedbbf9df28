"""The adapters that come with the course, each a folder of adapter_config.json and adapter_model.safetensors.

lessons/adapters/british/METHOD       1,000 words: every technique of `compare`
lessons/adapters/british_all/METHOD   all British training words: LoRA and the best other technique, each with card.json
"""

from importlib import resources
from pathlib import Path
from typing import Any

from transformer.learning.formats import read_json

ALL, CARD = "_all", "card.json"


def adapters_folder() -> Path:
    """Where the shipped adapters lie, inside the package."""
    return Path(str(resources.files("lessons") / "adapters"))


def shipped(method: str) -> dict[str, Path]:
    """Accent → folder of the adapter of this technique that learnt from 1,000 words."""
    return {accent: folders[method] for accent, folders in by_accent().items() if method in folders}


def by_accent() -> dict[str, dict[str, Path]]:
    """Accent → technique → folder of the adapter that learnt from 1,000 words."""
    folders = sorted(folder for folder in adapters_folder().glob("*/*") if folder.is_dir())
    accents: dict[str, dict[str, Path]] = {}
    for folder in folders:
        if not folder.parent.name.endswith(ALL):
            accents.setdefault(folder.parent.name, {})[folder.name] = folder
    return accents


def on_all_words(accent: str = "british") -> dict[str, Path]:
    """Technique → folder of the adapter that learnt from all the accent's training words, the best first."""
    folders = [file.parent for file in adapters_folder().glob(f"{accent}{ALL}/*/{CARD}")]
    return {folder.name: folder for folder in sorted(folders, key=lambda folder: word_error(card(folder), accent))}


def card(folder: Path) -> dict[str, Any]:
    """How an adapter on all words was made, and how often it is wrong on held-out words."""
    return read_json(folder / CARD)


def word_error(made: dict[str, Any], accent: str) -> float:
    return float(made[accent]["word_error"])
