"""Counting: how many numbers learn, and how many there are.

    trainable% = 100 · numbers that learn / all numbers

A number that does not learn needs no gradient and no state of the optimizer: that is what parameter-efficient techniques save.
"""

from collections.abc import Collection

from torch import Tensor

from peft.frame.core import Core


def trainable_and_all(parameters: Collection[Tensor]) -> tuple[int, int]:
    """How many numbers learn, and how many there are. A tensor learns where its `requires_grad` is True.

    Two whole numbers; (0, 0) where there are no parameters.
    """
    trainable = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    return trainable, sum(parameter.numel() for parameter in parameters)


def count_parameters(core: Core) -> tuple[int, int]:
    """(trainable, all). All is what the model computes with: a parameter that an adapter has replaced counts once.

    A layer in 4 bits counts the weights that it stands for.
    """
    parameters = {id(p): p for p in core.base_model.parameters()}
    for name in core.active:
        parameters |= {id(p): p for p in core.adapters[name].own_parameters().values()}
    packed = sum(
        module.in_features * module.out_features
        for module in core.base_model.modules()
        if hasattr(module, "dequantized")
    )
    trainable, unpacked = trainable_and_all(parameters.values())
    return trainable, packed + unpacked


def trainable_line(core: Core) -> str:
    """Both counts and their ratio, in the words of Hugging Face PEFT."""
    trainable, total = count_parameters(core)
    return f"trainable params: {trainable:,} || all params: {total:,} || trainable%: {100 * trainable / total:.4f}"
