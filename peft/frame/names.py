"""Names of adapters: each is the name of a folder too, and must be one on every system, inside the folder that is asked for."""

import re
from collections.abc import Collection

from torch import nn

LONGEST = 100
DEVICES = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]", re.IGNORECASE)
"""What Windows takes for a device wherever it stands."""


def check_name(name: str, reserved: Collection[str] = ()) -> None:
    """Raises ValueError for what cannot be an adapter's name or is `reserved`, TypeError for what is no string."""
    if not isinstance(name, str):
        raise TypeError(f"an adapter's name is a string, not {type(name).__name__}")
    if not re.fullmatch(r"[\w+-]([\w +-]*[\w+-])?", name) or len(name) > LONGEST:
        raise ValueError(
            f"{name[:LONGEST]!r} cannot be an adapter's name, which is also its folder's: letters, digits, _, -, + and "
            f"spaces between them, {LONGEST} at most"
        )
    if name in reserved or DEVICES.fullmatch(name) or hasattr(nn.ModuleDict, name) or name in nn.ModuleDict().__dict__:
        raise ValueError(f"{name!r} cannot be an adapter's name: it has another meaning here or on Windows")
