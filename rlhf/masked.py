"""Masks of responses: True = a token that the policy chose, its EOS included; False = padding after it.

Padding may hold anything, NaN too: it is cut out with `where` before anything is computed from it. A product with 0
would not do, since 0 · NaN is NaN, in the value and in the gradient.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def only_real(values: Float[Tensor, "batch time"], mask: Bool[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
    """The values, and 0 on padding. Raises TypeError or ValueError for a mask that is none of these values."""
    check_mask(values, mask)
    return torch.where(mask, values, torch.zeros_like(values))


def masked_mean(values: Float[Tensor, "batch time"], mask: Bool[Tensor, "batch time"]) -> Float[Tensor, ""]:
    """The mean over all real tokens of the batch. Raises ValueError where there is none."""
    if not mask.any():
        raise ValueError(f"the mask of shape {tuple(mask.shape)} has no real token: there is nothing to take a mean of")
    return only_real(values, mask).sum() / mask.sum()


def last_token(mask: Bool[Tensor, "batch time"]) -> Int[Tensor, " batch"]:
    """Where each row's last real token stands. Raises ValueError for a row that has none."""
    place = torch.arange(mask.shape[1], device=mask.device)
    last = torch.where(mask, place, -1).amax(dim=1)
    if (last < 0).any():
        rows = (last < 0).nonzero()[:, 0].tolist()
        raise ValueError(f"the responses in rows {rows[:8]} are empty: a response has at least one token, its EOS")
    return last


def check_pairs(*numbers: Tensor) -> None:
    """Raises ValueError unless each holds one number for the same pairs, of which there is at least one."""
    shapes = [tuple(each.shape) for each in numbers]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1 or shapes[0][0] == 0:
        said = ", ".join(map(str, shapes))
        raise ValueError(f"tensors of shapes {said} do not hold one number each for the same pairs, one pair or more")


def check_mask(values: Tensor, mask: Tensor) -> None:
    """Raises TypeError for a mask that is not boolean, ValueError for one of another shape."""
    if mask.dtype != torch.bool:
        raise TypeError(f"a mask is boolean with True = a real token, not {mask.dtype}; compare first (mask > 0)")
    if mask.shape != values.shape:
        raise ValueError(f"the mask is {tuple(mask.shape)} and its values are {tuple(values.shape)}")
