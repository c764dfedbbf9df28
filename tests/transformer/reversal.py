"""A task that a tiny model learns in a second: say the source backwards. Started as a program, it trains on it.

    python -m tests.transformer.reversal FOLDER [STEPS]        under torchrun: several processes, one training

It keeps its state in FOLDER/training.safetensors and, when it is done, writes the losses and the weights.
"""

import json
import os
import sys
import time
from pathlib import Path

import torch

from tests.transformer import small
from transformer import TrainingConfig, Transformer, save_model, train
from transformer.learning.distributed import process_group

EOS = 2
NEVER = 16
"""A token of the vocabulary that no pair holds."""


def pairs(count: int = 60) -> list[tuple[list[int], list[int]]]:
    generator = torch.Generator().manual_seed(1)
    words = [[3, 4, 5, 6, 7, 8, 3, 4, 5]]  # so long that its batch has room for it alone
    words += [torch.randint(3, 9, (length,), generator=generator).tolist() for length in (1, 2, 3, 4) * (count // 4)]
    return [([*word, EOS], [*reversed(word), EOS]) for word in words]


def fresh_model(**changes: object) -> Transformer:
    torch.manual_seed(0)
    return Transformer(small.config(**{"dropout": 0.1, "norm": "pre", "num_decoder_layers": 1, **changes}))


def settings(steps: int, **changes: object) -> TrainingConfig:
    fields = {"learning_rate": 0.01, "warmup": 5, "max_tokens": 40, "checkpoint_every": 4, "never": (NEVER,)}
    return TrainingConfig(steps, **{**fields, **changes})


def main(folder: Path, steps: int) -> None:
    torch.set_num_threads(1)
    with process_group() as rank:
        # Each process draws its own dropout, and rounding is no concern of these tests.
        model = fresh_model(dropout=0.0).double() if "WORLD_SIZE" in os.environ else fresh_model()

        def linger(step: int, loss: float) -> None:
            time.sleep(0.01)  # so that there is time to be killed in

        losses = train(
            model,
            pairs(),
            settings(steps, first_position=5),
            checkpoint=folder / "training.safetensors",
            on_step=linger,
        )
        if rank == 0:
            (folder / "losses.json").write_text(json.dumps(losses))
            save_model(model, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
