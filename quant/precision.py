"""Autocast: whether it decides in which type a product is made, and where it must not.

`compute_dtype` decides in a Linear4bit. So autocast is shut out of its product, and asked only about what comes out.
"""

import torch
from torch import Tensor


def under_autocast(x: Tensor) -> bool:
    """Whether autocast chooses types on x's device. (`meta`, on which bytes are counted, has no autocast of its own.)"""
    return not x.is_meta and torch.is_autocast_enabled(x.device.type)


def without_autocast(x: Tensor) -> torch.autocast:
    """A context without autocast on x's device."""
    return torch.autocast("cpu" if x.is_meta else x.device.type, enabled=False)
