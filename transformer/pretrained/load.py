"""`load_pretrained`: config.json says which family a folder is of, the family says the rest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformer.pretrained import bart, bert, gpt2, marian
from transformer.pretrained.folder import read_config, read_weights
from transformer.pretrained.parts import Family, fill
from transformer.token_model import TokenModel

FAMILIES = {name: module.FAMILY for module in (marian, bart, bert, gpt2) for name in module.FAMILY.architectures}


def load_pretrained(folder: str | Path, **changes: Any) -> TokenModel:
    """The model of a published folder, in evaluation mode: a Transformer, an EncoderOnly or a DecoderOnly.

    `changes`   fields of the TransformerConfig to set otherwise, for example dropout=0.0 or attention="fused"

    Raises FileNotFoundError or ValueError, naming the file, the setting or the tensors, for a folder that does not fit.
    """
    folder = Path(folder)
    values = read_config(folder)
    family, _ = family_of(values, folder)
    model = family.build(values, changes)
    fill(model, family, read_weights(folder), folder)
    return model.eval()


def family_of(values: Mapping[str, Any], folder: Path) -> tuple[Family, str]:
    """The family and the architecture that a config.json names."""
    names = values.get("architectures")
    if not isinstance(names, list) or len(names) != 1 or names[0] not in FAMILIES:
        raise ValueError(f"{folder / 'config.json'} names the architecture {names}; known are {', '.join(FAMILIES)}")
    return FAMILIES[names[0]], names[0]
