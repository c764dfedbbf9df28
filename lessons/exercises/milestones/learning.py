"""A LoRA adapter learns British, by a student's code: loss, batches, groups, the start of A and B."""

from lessons.exercises.milestones.speaking import BRITISH, WORD, beside, clear_base, measured
from lessons.task.dictionary import fine_tuning_words, pairs
from lessons.task.finetuning import adapted, rate_of, training_config
from lessons.task.scoring import predict
from peft import PeftModel
from transformer import train
from transformer.learning.training import parameter_groups

METHOD = "lora"
FEW_STEPS = 12
LAST = 4
"""Steps over which the loss at the beginning and at the end is averaged: one batch is harder than another."""


def trained(steps: int, method: str = METHOD) -> tuple[PeftModel, list[float]]:
    model = adapted(method, base=clear_base())
    config = training_config(steps, rate_of(method), seed=0)
    examples = pairs(BRITISH, fine_tuning_words(BRITISH), all_pronunciations=True)
    return model, train(model, examples, config, parameter_groups(model, config.learning_rate, config.weight_decay))


def loss_falls() -> list[str]:
    _, losses = trained(FEW_STEPS)
    return [f"LoRA learns British for {FEW_STEPS} steps: the loss goes {course(losses)}"]


def course(losses: list[float]) -> str:
    first, last = (sum(part) / LAST for part in (losses[:LAST], losses[-LAST:]))
    return f"from {first:.2f} to {last:.2f}"


def british(steps: int, count: int) -> list[str]:
    before = measured(clear_base(), BRITISH, count)
    model, losses = trained(steps)
    model.eval()
    return [
        f"{steps} steps on British words: the loss goes {course(losses)}",
        beside(WORD, predict(model, [WORD])[WORD], BRITISH),
        f"British sounds wrong on {count} words that it never saw: {before:.1f} % before, "
        f"{measured(model, BRITISH, count):.1f} % after.",
    ]
