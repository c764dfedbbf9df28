"""One technique on a language model: the same texts, steps and schedule for every one; only its rate differs.

The techniques are those of peft/recipes.py, and `qlora_q4_1`: LoRA on the four bits in which the model was published.
Rows of texts are padded, not packed: a prompt stands in front of a row.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from lessons.chat.model import ChatModel, open_model
from lessons.task.finetuning import prepared_base, read_rates
from lessons.task.machine import best_device, bf16_pays
from peft import PeftConfig, get_peft_model, recipe
from quant import LinearQ4
from quant.packed import PackedWeight
from transformer import TrainingConfig, train
from transformer.learning.texts import Text, Texts

Q4_1 = "qlora_q4_1"
BATCH_TOKENS = 512
COMPARED_TOKENS = 256
"""Of a step where techniques are compared and their rates searched: three or four sentences."""
RATES_FILE = Path(__file__).parent / "learning_rates.json"
STARTS = {
    "full": 5e-5,
    "ln_tuning": 1e-2,
    "ia3": 1e-2,
    "ssf": 3e-3,
    "vera": 3e-2,
    "adapter_houlsby": 1e-3,
    "adapter_pfeiffer": 1e-3,
    "adapter_parallel": 1e-3,
    "prompt_tuning": 1e-2,
    "p_tuning": 1e-3,
    "prefix_tuning": 1e-2,
    "p_tuning_v2": 3e-2,
}
"""Where the search of a technique's rate begins; LoRA and its relatives: 1e-3."""
CHANGES = {"p_tuning_v2": {"init_weights": "words"}}
"""What differs from a recipe: prefixes from N(0, 1) drown what this model knows (peft/p_tuning_v2.py)."""


def known(method: str) -> str:
    """The recipe that a name stands for. Raises ValueError for a name that is none."""
    name = "lora" if method == Q4_1 else method
    recipe(name)
    return name


def open_tuned(
    method: str, model: Path, seed: int = 0, device: torch.device | None = None, **changes: Any
) -> ChatModel:
    """The model with a fresh adapter of this technique, on the best device if no other is named.

    Raises ValueError where the technique has no place on it.
    """
    name = known(method)
    chat = open_model(model, LinearQ4.from_blocks if method == Q4_1 else None, attention="fused")
    if method == Q4_1 and not bf16_pays():
        for module in chat.model.modules():
            if isinstance(module, LinearQ4):
                module.compute_dtype = torch.float32
    torch.manual_seed(seed)
    config = config_of(method, **changes)
    chat.model = get_peft_model(prepared_base(name, chat.model), config).to(device or best_device())
    return chat


def config_of(method: str, **changes: Any) -> PeftConfig:
    """The recipe's config, as far as it suits a language model."""
    name = known(method)
    return recipe(name).config(**{**CHANGES.get(name, {}), **changes})


def start_of(method: str) -> float:
    """A rate to begin the search with."""
    return STARTS.get(method, 1e-3)


def entry_of(task: str, method: str) -> str:
    """The name under which a technique's rate for a task is kept."""
    return f"{task}-{method}"


def searched() -> dict[str, float]:
    """Entry → the rate that `python -m lessons chat --search` has found and kept."""
    kept = read_rates(RATES_FILE)["methods"] if RATES_FILE.is_file() else {}
    return {name: entry["best"] for name, entry in kept.items() if "best" in entry}


def rate_of(task: str, method: str) -> float:
    """The rate that was searched for this task, else one to begin with."""
    return searched().get(entry_of(task, method), start_of(method))


def quickly() -> torch.autocast:
    """Inside, matrices are multiplied in bf16 where that pays: for measures of many passes."""
    return torch.autocast(best_device().type, torch.bfloat16, enabled=bf16_pays())


def fine_tune(
    chat: ChatModel,
    method: str,
    texts: Sequence[Text],
    steps: int,
    learning_rate: float,
    seed: int = 0,
    checkpoint: Path | None = None,
    on_step: Callable[[int, float], None] | None = None,
    shard: bool = False,
    **settings: Any,
) -> list[float]:
    """Trains the adapter and returns the loss of every step; `settings` are TrainingConfig's.

    `shard`   under torchrun: each process keeps a share of the model. Raises ValueError for a base in four bits
    """
    if shard and any(isinstance(module, PackedWeight) for module in chat.model.modules()):
        raise ValueError(
            f"{method} keeps its base in four bits, which are not shared among processes: leave --shard out, and each "
            "holds the whole of it"
        )
    config = TrainingConfig(
        **{
            "steps": steps,
            "learning_rate": learning_rate,
            "warmup": max(1, steps // 10),
            "max_tokens": BATCH_TOKENS,
            "weight_decay": 0.0,
            "precision": "bf16" if bf16_pays() else "fp32",
            "seed": seed,
            "checkpoint_every": max(1, steps // 4),
            **settings,
        }
    )
    groups = recipe(known(method)).groups(chat.model, config.learning_rate, config.weight_decay)
    return train(chat.model, Texts(texts), config, groups, checkpoint, on_step, shard)
