"""The present call: what slots and some layers need to know of it. The PeftModel says it before the forward pass."""

from collections.abc import Callable
from typing import Any

from torch import Tensor


class CallContext:
    """Shared by the model's slots, and by each layer that has a `context`: that is how a layer asks for token ids.

    `source`, `target`  the token ids of this call
    `mixed`             what a slot does instead in a mixed batch, where every row has its own adapter (mixed.py)
    """

    def __init__(self) -> None:
        self.mixed: Callable[..., Tensor] | None = None
        self.source: Tensor | None = None
        self.target: Tensor | None = None

    def reads(self, source: Tensor, target: Any = None, *_: Any, **__: Any) -> None:
        """Notes the token ids of a call with these arguments, by position or by name."""
        self.source, self.target = source, target
