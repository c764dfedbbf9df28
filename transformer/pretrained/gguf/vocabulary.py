"""The tokenizer that a GGUF carries: its tokens, how pairs of them merge, and the ids that mean something.

It is data alone; what makes a tokenizer of it is no part of reading the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""The kinds of tokens. A control token is never text; a user-defined one is text that is never cut."""
START = "tokenizer.ggml."


@dataclass(frozen=True)
class Vocabulary:
    """What stands in the keys `tokenizer.ggml.*`.

    `model`       how text is cut: "gpt2" is byte-pair encoding of bytes
    `pre`         the name of the rule by which text is cut into words first
    `tokens`      by their ids
    `kinds`       of each token: NORMAL, CONTROL, ...
    `merges`      pairs of tokens, the first one merged first
    `bos_id`, `eos_id`, `unk_id`    None where the file names none
    `pad_id`      never the end's: a model that is trained not to learn its padding would never learn to stop
    `add_bos`     whether a text begins with `bos_id`
    """

    model: str
    pre: str
    tokens: list[str]
    kinds: list[int]
    merges: list[tuple[str, str]]
    bos_id: int | None
    eos_id: int | None
    unk_id: int | None
    pad_id: int | None
    add_bos: bool


def read_vocabulary(values: Mapping[str, Any]) -> Vocabulary | None:
    """The file's vocabulary, None where it has none. Raises ValueError, naming the key, for one that makes no sense."""
    if START + "tokens" not in values:
        return None
    tokens = strings(values, "tokens")
    if len(set(tokens)) != len(tokens):
        raise ValueError(f"{START}tokens has {len(tokens) - len(set(tokens))} tokens twice")
    kinds = values.get(START + "token_type")
    kinds = [NORMAL] * len(tokens) if kinds is None else list(getattr(kinds, "tolist", list)())
    if len(kinds) != len(tokens) or not all(kind in range(1, 7) for kind in kinds):
        raise ValueError(f"{START}token_type gives each of {len(tokens)} tokens a number from 1 to 6, not {kinds[:8]}")
    bos, eos, unk, pad = (
        special_id(values, f"{name}_token_id", len(tokens)) for name in ("bos", "eos", "unknown", "padding")
    )
    return Vocabulary(
        model=word(values, "model", "gpt2"),
        pre=word(values, "pre", "default"),
        tokens=tokens,
        kinds=kinds,
        merges=[pair(merge) for merge in strings(values, "merges")] if START + "merges" in values else [],
        bos_id=bos,
        eos_id=eos,
        unk_id=unk,
        pad_id=next((id for id in (pad, unk, bos) if id is not None and id != eos), None),
        add_bos=values.get(START + "add_bos_token", False) is True,
    )


def strings(values: Mapping[str, Any], name: str) -> list[str]:
    found = values[START + name]
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        raise ValueError(f"{START}{name} is a list of strings, not {str(found)[:40]!r}")
    return found


def word(values: Mapping[str, Any], name: str, default: str) -> str:
    found = values.get(START + name, default)
    if not isinstance(found, str) or len(found) > 80:
        raise ValueError(f"{START}{name} is a name, not {str(found)[:40]!r}")
    return found


def pair(merge: str) -> tuple[str, str]:
    first, _, second = merge.partition(" ")
    if not first or not second or " " in second:
        raise ValueError(f"{START}merges holds {merge[:40]!r}, which is no pair of tokens")
    return first, second


def special_id(values: Mapping[str, Any], name: str, count: int) -> int | None:
    found = values.get(START + name)
    if found is not None and (not isinstance(found, int) or not 0 <= found < count):
        raise ValueError(f"{START}{name} is the id of one of {count} tokens, not {str(found)[:40]!r}")
    return found
