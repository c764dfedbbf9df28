"""What DPO and GRPO add to a supervised adapter: each begins where it ended, and so does the same number of supervised steps.

    supervised                      LoRA on examples: what comparing/ measures
    longer                          as many further steps of the same: what any method has to be held against
    dpo        (sentiment)          pairs of people's preferences (votes.py)
    grpo       (spelling)           sampled answers, paid by a rule (rule.py)

The supervised adapter is merged first: the reference of DPO and GRPO is the policy without its adapter, and that must be the
supervised model. The three continuations have a fresh LoRA each.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lessons.chat.comparing.forgetting import forgetting
from lessons.chat.comparing.items import items_of, scores_of, taught
from lessons.chat.model import ChatModel
from lessons.chat.preferring.rule import SpellingRule
from lessons.chat.preferring.votes import drawn_preferences, preferences_of
from lessons.chat.training.conversations import texts_of
from lessons.chat.training.measures import device_of
from lessons.chat.training.sentiment import DOMAIN, even
from lessons.chat.training.tuning import COMPARED_TOKENS, config_of, fine_tune, open_tuned, rate_of
from lessons.data.feedback import load_ratings
from lessons.task.machine import best_device, bf16_pays
from peft import get_peft_model
from rlhf import DPOConfig, GRPOConfig, dpo, grpo
from transformer.learning.texts import Text

METHOD = "lora"
Told = Callable[[str], None]


@dataclass(frozen=True)
class Amounts:
    """How much of everything.

    `steps`                  of the supervised adapter
    `dpo_steps`              of DPO after it, with `pairs` in each; and of more supervised ones beside it
    `grpo_steps`             of GRPO after it, with `prompts` in each and `group` answers to each; alike
    `items`                  that are tested, of each kind
    """

    steps: int = 30
    dpo_steps: int = 20
    grpo_steps: int = 12
    items: int = 34
    seed: int = 0
    pairs: int = 8
    prompts: int = 4
    group: int = 4
    max_new_tokens: int = 40
    dpo_rate: float = 1e-4
    grpo_rate: float = 1e-3

    def further(self, task: str) -> int:
        """Steps after the supervised ones."""
        return self.dpo_steps if task == "sentiment" else self.grpo_steps


def run_task(
    task: str, model: Path, amounts: Amounts, answers: list[Text], told: Told = lambda line: None
) -> dict[str, Any]:
    """Arm → what it came to, the untouched model first."""
    chat = open_tuned(METHOD, model, amounts.seed)
    with chat.model.disable_adapter():
        found = {"untouched": measured(chat, task, amounts, answers)}
    losses = supervised(chat, task, amounts.steps, amounts)
    found["supervised"] = measured(chat, task, amounts, answers) | {"losses": losses}
    told(f"{task}: {amounts.steps} supervised steps")
    chat.model = chat.model.merge_and_unload()
    for name, arm in ARMS[task].items():
        policy = ChatModel(copy.deepcopy(chat.model), chat.tokenizer, chat.template)
        policy.model = get_peft_model(policy.model, config_of(METHOD))
        history = arm(policy, task, amounts)
        found[name] = measured(policy, task, amounts, answers) | {"history": history}
        told(f"{task}: {name}")
    return found


def measured(chat: ChatModel, task: str, amounts: Amounts, answers: list[Text]) -> dict[str, Any]:
    return {"scores": scores_of(chat, items_of(task), task, amounts.items)} | forgetting(chat, answers)


def supervised(chat: ChatModel, task: str, steps: int, amounts: Amounts, seed: int = 0) -> list[float]:
    """On the examples that comparing/ teaches, at the technique's own rate for this task."""
    texts = texts_of(chat, [item.messages() for item in taught(items_of(task), task)])
    rate = rate_of(task, METHOD)
    return fine_tune(chat, METHOD, texts, steps, rate, amounts.seed + seed, max_tokens=COMPARED_TOKENS)


def longer(chat: ChatModel, task: str, amounts: Amounts) -> list[dict[str, float]]:
    """The same again, on examples in another order."""
    return [{"loss": loss} for loss in supervised(chat, task, amounts.further(task), amounts, seed=1)]


def by_people(chat: ChatModel, task: str, amounts: Amounts) -> list[dict[str, float]]:
    """DPO: each step sees pairs that no step saw before it, from the domain that the supervised steps had."""
    count, random = amounts.dpo_steps * amounts.pairs, np.random.default_rng(amounts.seed)
    items = even([item for item in items_of(task) if item.kind == DOMAIN], "train", -(-count // 3))
    asked = [items[index] for index in random.permutation(max(count, len(items)))[:count] % len(items)]
    preferences = preferences_of(chat, drawn_preferences(asked, load_ratings()[DOMAIN], random))
    config = DPOConfig(learning_rate=amounts.dpo_rate, batch_size=amounts.pairs, seed=amounts.seed)
    with changing():
        return dpo(chat.model, preferences.to(device_of(chat)), config)


def by_rule(chat: ChatModel, task: str, amounts: Amounts) -> list[dict[str, float]]:
    """GRPO, on the sentences that the supervised steps had, without their answers."""
    rule = SpellingRule(chat, taught(items_of(task), task))
    config = GRPOConfig(
        amounts.grpo_steps,
        learning_rate=amounts.grpo_rate,
        prompts=amounts.prompts,
        group_size=amounts.group,
        max_new_tokens=amounts.max_new_tokens,
        seed=amounts.seed,
    )
    with changing():
        return grpo(chat.model, rule.prompts.to(device_of(chat)), rule, config)


def changing() -> torch.autocast:
    """Inside, matrices are multiplied in bf16 where that pays, and weights may change: no cast of them is remembered."""
    return torch.autocast(best_device().type, torch.bfloat16, enabled=bf16_pays(), cache_enabled=False)


Arm = Callable[[ChatModel, str, Amounts], list[dict[str, float]]]
ARMS: Mapping[str, Mapping[str, Arm]] = {
    "sentiment": {"longer": longer, "dpo": by_people},
    "spelling": {"longer": longer, "grpo": by_rule},
}
