"""Where autocast must not decide: products that keep the type of what comes in."""

import torch
from torch import Tensor


def without_autocast(x: Tensor) -> torch.autocast:
    """A context without autocast on x's device. (`meta`, on which bytes are counted, has no autocast of its own.)"""
    return torch.autocast("cpu" if x.is_meta else x.device.type, enabled=False)
