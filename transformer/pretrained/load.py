"""`load_pretrained`: config.json says which family a folder is of, the family says the rest."""

from collections.abc import Mapping
from pathlib import Path
from reprlib import repr as in_short
from typing import Any

from transformer.pretrained import bart, bert, gpt2, marian
from transformer.pretrained.family import Family, fill
from transformer.pretrained.folder import check_sizes, read_config, read_weights
from transformer.token_model import TokenModel

FAMILIES = {name: module.FAMILY for module in (marian, bart, bert, gpt2) for name in module.FAMILY.architectures}


def load_pretrained(folder: str | Path, **changes: Any) -> TokenModel:
    """The model of a Hugging Face folder, in evaluation mode: a Transformer, an EncoderOnly or a DecoderOnly.

    `folder`    holds config.json and model.safetensors, in one file or in shards, as transformers' `save_pretrained` writes
    `changes`   fields of the TransformerConfig to set otherwise, for example dropout=0.0 or attention="fused"

    Raises FileNotFoundError or ValueError, naming the file, the setting or the tensors, for a folder that does not fit.
    """
    folder = Path(folder)
    values = read_config(folder)
    family, _ = family_of(values, folder)
    tensors = read_weights(folder)
    check_sizes(values, tensors, folder / "config.json")
    model = family.build(values, changes)
    fill(model, family, tensors, folder)
    return model.eval()


def family_of(values: Mapping[str, Any], folder: Path) -> tuple[Family, str]:
    """The family and the architecture that a config.json names. Raises ValueError for one that is not known, or several."""
    names = values.get("architectures")
    if not isinstance(names, list) or len(names) != 1 or names[0] not in list(FAMILIES):
        raise ValueError(
            f"{folder / 'config.json'} names the architecture {in_short(names)}; known are {', '.join(FAMILIES)}"
        )
    return FAMILIES[names[0]], names[0]
