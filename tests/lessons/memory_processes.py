"""What a process really keeps of a model that two share: `torchrun -m tests.lessons.memory_processes OUT METHOD ...`.

OUT/METHOD-RANK.json holds the bytes of its shares, of their gradients after one backward pass, and of the buffers. The base's own
beside copies that are trained do not count, as the plan has them not: who trains everything need not keep them.
"""

import json
import sys
from pathlib import Path

import torch

from peft import RECIPES, get_peft_model
from tests.lessons.test_memory import SMALL, real
from transformer.learning.distributed import process_group
from transformer.learning.sharding import shard
from transformer.learning.shares import is_share

LAYERS = 4


def kept(method: str) -> dict[str, int]:
    model = get_peft_model(real(SMALL["grouped"], LAYERS), RECIPES[method].config()).train()
    shard(model, [])
    model(torch.randint(3, 50, (2, 6))).float().square().mean().backward()
    replaced = {id(original) for original in model.adapters["default"].owned.originals}
    parameters = [parameter for parameter in model.parameters() if id(parameter) not in replaced]
    assert all(map(is_share, parameters))
    gradients = [parameter.grad.to_local() for parameter in parameters if parameter.grad is not None]
    return {
        "weights": sum(parameter.to_local().nbytes for parameter in parameters),
        "gradients": sum(gradient.nbytes for gradient in gradients),
        "buffers": sum(buffer.nbytes for buffer in model.buffers()),
    }


def main(out: Path, methods: list[str]) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with process_group() as rank:
        for method in methods:
            (out / f"{method}-{rank}.json").write_text(json.dumps(kept(method)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
