"""Rotary positions in a config.json: the base of the turns, and how they are slowed for longer texts (Llama 3.1).

transformers 5 writes one object, `rope_parameters`; before it, `rope_theta` stood by itself, `rope_scaling` beside it, and
the type's name was `type`.
"""

from collections.abc import Mapping
from typing import Any

SLOWED = {
    "factor": "rope_factor",
    "low_freq_factor": "rope_low_freq_factor",
    "high_freq_factor": "rope_high_freq_factor",
    "original_max_position_embeddings": "rope_original_length",
}


def rope_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of our config. Raises ValueError for another way of turning, and for a setting that is missing or unknown."""
    written = values.get("rope_parameters") or values.get("rope_scaling") or {}
    if not isinstance(written, Mapping):
        raise ValueError(f"config.json has rope_parameters {written!r}: an object is expected")
    rope = {name: value for name, value in written.items() if value is not None}
    kind = rope.pop("rope_type", rope.pop("type", "default"))
    rope.pop("type", None)
    if rope.pop("partial_rotary_factor", values.get("partial_rotary_factor") or 1.0) != 1.0:
        raise ValueError("config.json has a partial_rotary_factor: only whole heads are turned here")
    fields = {"rope_base": rope.pop("rope_theta", values.get("rope_theta", 10000.0))}
    if kind not in ("default", "llama3"):
        raise ValueError(f"config.json has rope_type {kind!r}: only 'default' and 'llama3' are supported")
    needed = set(SLOWED) if kind == "llama3" else set()
    if set(rope) != needed:
        problems = [f"lacks {name}" for name in sorted(needed - set(rope))]
        problems += [f"has {name}, which is not known here" for name in sorted(set(rope) - needed)]
        raise ValueError(f"config.json's rope_parameters of the type {kind!r}: {'; '.join(problems)}")
    return fields | {SLOWED[name]: value for name, value in rope.items()}
