"""The probe of lesson 1's first exercise."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw
from peft.frame import counting


def trainable_numbers(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    for name, learning in (("some that learn", 3), ("none that learns", 0)):
        tensors = [draw.normal(draw.size(1, 4), draw.size(2, 9), grad=place < learning) for place in range(6)]
        tensors += [draw.normal(draw.size(2, 9), grad=bool(learning)), draw.normal(grad=bool(learning))]
        found[name] = torch.tensor(counting.trainable_and_all(tensors))
    return found | {"without parameters": torch.tensor(counting.trainable_and_all([]))}
