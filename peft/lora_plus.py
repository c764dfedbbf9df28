"""LoRA+: LoRA whose B learns faster than its A.

    η_B = λ · η_A        λ = 16

Changes   nothing of the model: only the optimizer's parameter groups
Paper     "LoRA+" (arXiv 2402.12354)
"""

from typing import Any

from torch import nn

from transformer.learning.training import parameter_groups


def lora_plus_groups(
    model: nn.Module, learning_rate: float, weight_decay: float, ratio: float = 16.0
) -> list[dict[str, Any]]:
    """The optimizer's groups: every lora_B at `ratio` · `learning_rate`, all else at `learning_rate`.

    Raises ValueError where there is no lora_B to train.
    """
    if not ratio > 0.0:
        raise ValueError(f"the ratio of B's learning rate to A's must be positive, not {ratio}")
    fast = {id(p) for name, p in model.named_parameters() if ".lora_B." in f".{name}" and p.requires_grad}
    if not fast:
        raise ValueError("LoRA+ sets the learning rate of LoRA's B; this model has no lora_B to train")
    groups = []
    for group in parameter_groups(model, learning_rate, weight_decay):
        slower = [p for p in group["params"] if id(p) not in fast]
        faster = [p for p in group["params"] if id(p) in fast]
        groups += [{**group, "params": slower}] if slower else []
        groups += [{**group, "params": faster, "lr": ratio * learning_rate}] if faster else []
    return groups
