"""Paths: where a module stands in the base, as if no adapter were there, and which of four sites it belongs to."""

from collections.abc import Iterator

from torch import nn

SITES = ("encoder_self", "decoder_self", "cross", "feed_forward")
"""The parts of an encoder-decoder that a technique can be restricted to."""
VOCABULARY = ("output", "output.words")
"""Where the projection onto the vocabulary stands: in a model's output, and in the head for masked words."""


def site_of(path: str) -> str | None:
    """The site that a module path belongs to; None for embeddings, output and final norms."""
    if "cross_attention" in path:
        return "cross"
    if "feed_forward" in path:
        return "feed_forward"
    if "self_attention" in path:
        return "encoder_self" if path.startswith("encoder") else "decoder_self"
    return None


def base_modules(model: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Every module of the base by its own path, as if no adapter were there."""
    model = getattr(model, "adapted_base", model)
    yield path, model
    for name, child in model.named_children():
        yield from base_modules(child, f"{path}.{name}" if path else name)


def base_module(model: nn.Module, path: str) -> nn.Module:
    """The module of the base that has this path."""
    for name in filter(None, path.split(".")):
        model = getattr(getattr(model, "adapted_base", model), name)
    return getattr(model, "adapted_base", model)
