"""Lesson 19's second task: does an encoder that one task has trained help another?"""

from collections.abc import Sequence
from statistics import mean

from lessons.experiments.p_tuning import british_model, encoder_of, encoder_rate, trained_on
from lessons.task.dictionary import load, words
from lessons.task.finetuning import adapted, rate_of
from lessons.task.scoring import Score, evaluate
from peft import PeftModel, drop_encoders

STARTS = ("fresh", "warm start", "shared, frozen", "warm prompt")


def prepared(start: str, seed: int = 0) -> tuple[PeftModel, float]:
    """A model before the second task, and its learning rate."""
    model = adapted("p_tuning", seed=seed)
    encoder = encoder_of(model)
    new_rows = encoder.embedding.detach().clone()
    if start != "fresh":
        encoder.load_state_dict(encoder_of(british_model()).state_dict())
    if start == "shared, frozen":
        encoder.requires_grad_(False)
        encoder.embedding.data.copy_(new_rows)
        encoder.embedding.requires_grad_(True)
    if start == "warm prompt":
        drop_encoders(model)
    alone = start in ("shared, frozen", "warm prompt")  # as few numbers as in prompt tuning
    return model, rate_of("prompt_tuning") if alone else encoder_rate()


def second_task(start: str, probe: Sequence[str]) -> tuple[list[float], Score]:
    """American without stress marks: the losses, and the score on held-out words."""
    model, rate = prepared(start)
    return trained_on(model, "cmu", rate), evaluate(model, probe, "cmu")


def cmu_words(count: int) -> list[str]:
    return [word for word in words("british", "development", 3 * count) if word in load("cmu")][:count]


def late(losses: Sequence[float]) -> float:
    """The mean of the last ten steps."""
    return mean(losses[-10:])


def caught_up(fresh: Sequence[float], warm: Sequence[float], window: int = 5) -> int:
    """The first step from which the fresh start's losses, as means of five, are no higher than the warm start's."""
    means = [[mean(each[at : at + window]) for at in range(max(1, len(each) - window + 1))] for each in (fresh, warm)]
    return next((at + 1 for at, (a, b) in enumerate(zip(*means, strict=True)) if a <= b), len(fresh))
