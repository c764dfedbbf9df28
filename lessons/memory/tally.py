"""What each byte of a model in training is: every tensor that there is falls into one kind.

base            frozen weights in 16 bits (embeddings, norms, biases; the matrices too, unless they are in 4 bits)
codes           frozen matrices in 4 bits, two weights to a byte
constants       what decoding the codes needs: scales, their own scales, the 16 levels
trained         what is trained: adapters in 32 bits; a base parameter that is trained stays in 16
frozen parts    of adapters: PiSSA's start, VeRA's random matrices, PILL's table of types
gradients       one for each trained number, in its type
optimizer       what the optimizer remembers for each trained number, in 32 bits
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from peft import PeftModel
from quant import Linear4bit

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "momentum": lambda parameters: torch.optim.SGD(parameters, momentum=0.9),
    "sgd": torch.optim.SGD,
}
"""AdamW remembers two numbers for each trained one, SGD with momentum one, SGD none."""


def tally(model: PeftModel, base: set[int], optimizer: str) -> Counter[str]:
    """Bytes by kind. `base` holds the ids of the tensors that were there before the adapter came."""
    adapters: Any = model.adapters.values()
    replaced = {id(tensor) for adapter in adapters for tensor in adapter.owned.originals}
    counted: Counter[str] = Counter()
    trained: list[Tensor] = []
    for name, owner, tensor in tensors_of(model):
        if id(tensor) in replaced:
            continue  # its copy, which is trained, stands in its place
        if tensor.requires_grad:
            kind = "trained"
            trained.append(tensor)
        elif isinstance(owner, Linear4bit) and name != "bias":
            kind = "codes" if name == "codes" else "constants"
        else:
            kind = "base" if id(tensor) in base else "frozen parts"
        counted[kind] += tensor.nbytes
    counted["gradients"] = counted["trained"]
    counted["optimizer"] = optimizer_bytes(trained, optimizer)
    return counted


def tensors_of(model: nn.Module) -> Iterator[tuple[str, nn.Module, Tensor]]:
    """(own name, module, tensor) of every parameter and buffer, each tensor once."""
    seen: set[int] = set()
    for module in model.modules():
        for name, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            if id(tensor) not in seen:
                seen.add(id(tensor))
                yield name, module, tensor


def optimizer_bytes(trained: list[Tensor], name: str) -> int:
    """Lets torch's own optimizer take a step on tensors of these shapes, and looks at what it remembers."""
    copies = [nn.Parameter(torch.empty(tensor.shape, device="meta")) for tensor in trained if tensor.numel()]
    for copy in copies:
        copy.grad = torch.empty_like(copy)
    if not copies:
        return 0
    optimizer = OPTIMIZERS[name](copies)
    optimizer.step()
    return sum(kept.nbytes for state in optimizer.state.values() for kept in state.values() if isinstance(kept, Tensor))


def largest_matrix(model: nn.Module) -> int:
    """While a product is made, one 4-bit matrix at a time stands there in the type of the product."""
    sizes = [m.in_features * m.out_features * m.compute_dtype.itemsize for m in model.modules() if isinstance(m, Linear4bit)]  # fmt: skip
    return max(sizes, default=0)
