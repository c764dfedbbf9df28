"""Teaching a small random model by several processes: `torchrun -m tests.lessons.chat_processes MODEL OUT METHOD ...`.

Each METHOD is trained twice, every process with the whole model and with a share of it. OUT/METHOD-HOW.json holds the losses
and the steps that were done here, OUT/METHOD-HOW/ the adapter, OUT/METHOD-HOW.safetensors the run, from which it goes on.
"""

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch

from lessons.chat.model import ChatModel
from lessons.chat.training.conversations import texts_of
from lessons.chat.training.tuning import fine_tune, open_tuned
from transformer.learning.distributed import process_group
from transformer.learning.shares import gathered
from transformer.learning.texts import Text

CONVERSATIONS = [[("user", "he?"), ("assistant", "hello!")], [("user", "abe"), ("assistant", "1 2 3")],
                 [("user", "a"), ("assistant", "ab ab ab c")], [("user", "cab"), ("assistant", "d")],
                 [("user", "bad"), ("assistant", "abe, a cab")]]  # fmt: skip
HOW = ("whole", "shared")
STEPS, KEPT, MAX_TOKENS = 5, 3, 90


def opened(method: str, model: Path) -> ChatModel:
    """Without dropout, which each process draws for its own rows, and in float64: rounding is no concern here."""
    dropout = {"lora_dropout": 0.0} if method.endswith("lora") else {}
    chat = open_tuned(method, model, device=torch.device("cpu"), **dropout)
    chat.model.double()
    return chat


def texts(chat: ChatModel) -> list[Text]:
    return texts_of(chat, [[dict(zip(("role", "content"), said)) for said in one] for one in CONVERSATIONS])


def taught(chat: ChatModel, method: str, kept: Path | None = None, shard: bool = False, stop: int = 0) -> Any:
    """The losses, and the steps that were done here. In two parts: of a batch of one row the second process has nothing."""
    steps: list[int] = []

    def note(step: int, loss: float) -> None:
        steps.append(step)
        if step == stop:
            raise KeyboardInterrupt

    settings = {"precision": "fp32", "checkpoint_every": KEPT, "accumulation": 2, "max_tokens": MAX_TOKENS}
    return fine_tune(chat, method, texts(chat), STEPS, 0.01, 0, kept, note, shard, **settings), steps


def main(model: Path, out: Path, methods: list[str]) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with process_group() as rank:
        for method in methods:
            for how in HOW:
                kept = out / f"{method}-{how}.safetensors"
                chat = opened(method, model)
                done = taught(chat, method, kept, how == "shared")
                with gathered(chat.model):
                    if rank == 0:
                        chat.model.save_pretrained(out / f"{method}-{how}")
                        (out / f"{method}-{how}.json").write_text(json.dumps(done))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
