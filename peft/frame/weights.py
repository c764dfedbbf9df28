"""The weight matrix of a base layer, in full precision or in 4 bits, and the plain layer that a merge makes of it."""

import copy
import warnings

from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.casting import FULL_PRECISION


def weight_of(base: nn.Module) -> Float[Tensor, "d_out d_in"]:
    """The matrix that the layer multiplies with, as precise as what is trained. A layer in 4 bits is dequantized for it."""
    weight = stored_weight(base)
    return weight if weight.dtype in FULL_PRECISION else weight.float()


def stored_weight(base: nn.Module) -> Float[Tensor, "d_out d_in"]:
    """The same in the base's own type."""
    weight: Tensor = base.dequantized() if hasattr(base, "dequantized") else base.weight
    return weight


def own_copy(tensor: Tensor) -> nn.Parameter:
    """A parameter that starts with these numbers, laid out row by row."""
    return nn.Parameter(tensor.detach().clone().contiguous())


def plus_delta(base: nn.Module, delta: Float[Tensor, "d_out d_in"]) -> nn.Linear:
    """W + ΔW as a plain linear layer."""
    return rewritten(base, weight_of(base) + delta, base.bias)


def rewritten(base: nn.Module, weight: Float[Tensor, "d_out d_in"], bias: Tensor | None) -> nn.Linear:
    """A plain linear layer in place of `base`, in its precision. Warns when `base` was an approximation in 4 bits."""
    if hasattr(base, "dequantized"):
        warnings.warn(
            "merging into a quantized base keeps the rounding of its 4 bits: what is changed is W_4bit, not W",
            stacklevel=2,
        )
    return linear_like(base, weight, bias)


def linear_like(base: nn.Module, weight: Float[Tensor, "d_out d_in"], bias: Tensor | None) -> nn.Linear:
    """A plain linear layer with these numbers, in the precision and the mode of `base`."""
    kind = stored_weight(base).dtype
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = nn.Parameter(weight.detach().to(kind, copy=True))
    if bias is not None:
        linear.bias = nn.Parameter(bias.detach().to(kind, copy=True))
    return linear.train(base.training).requires_grad_(False)


def norm_like(base: nn.Module, gain: Float[Tensor, " d_model"], bias: Float[Tensor, " d_model"]) -> nn.Module:
    """A LayerNorm with these numbers, in the precision and the mode of `base`."""
    norm = copy.deepcopy(base)
    norm.weight.data, norm.bias.data = (tensor.detach().to(base.weight.dtype, copy=True) for tensor in (gain, bias))
    return norm
