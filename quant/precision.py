"""Autocast: whether it decides, and where it must not."""

import torch
from torch import Tensor


def under_autocast(x: Tensor) -> bool:
    """Whether autocast chooses types on x's device. (`meta`, on which bytes are counted, has no autocast of its own.)"""
    return not x.is_meta and torch.is_autocast_enabled(x.device.type)


def without_autocast(x: Tensor) -> torch.autocast:
    """A context without autocast on x's device."""
    return torch.autocast("cpu" if x.is_meta else x.device.type, enabled=False)
