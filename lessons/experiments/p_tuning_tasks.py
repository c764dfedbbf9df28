"""Lesson 19's second task: does an encoder that one task has trained help another?

`python -m lessons.experiments.p_tuning_tasks` tells how the warm prompt's rate was chosen.
"""

from collections.abc import Sequence
from statistics import mean

from lessons.experiments.p_tuning import british_model, encoder_of, encoder_rate, prompt_of, trained_on
from lessons.task.dictionary import load, words
from lessons.task.finetuning import adapted, rate_of
from lessons.task.scoring import Score, evaluate
from peft import PeftModel, drop_encoders

WARM_PROMPT_RATES = (0.1, 1.0, 3.0, 10.0, 30.0, 100.0)
WARM_PROMPT_RATE = 30.0
"""The best of those, after 50 steps. The finished prompt's numbers are a hundred times as large as a fresh prompt's."""

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
    own = {"shared, frozen": rate_of("prompt_tuning"), "warm prompt": WARM_PROMPT_RATE}  # few numbers, or large ones
    return model, own.get(start, encoder_rate())


def second_task(start: str, probe: Sequence[str]) -> tuple[list[float], Score]:
    """American without stress marks: the losses, and the score on held-out words."""
    model, rate = prepared(start)
    return trained_on(model, "cmu", rate), evaluate(model, probe, "cmu")


def size_of_the_prompt() -> float:
    """The mean size of a number of the finished British P."""
    return float(prompt_of(british_model()).abs().mean())


def cmu_words(count: int) -> list[str]:
    return [word for word in words("british", "development", 3 * count) if word in load("cmu")][:count]


def late(losses: Sequence[float]) -> float:
    """The mean of the last ten steps."""
    return mean(losses[-10:])


def caught_up(fresh: Sequence[float], warm: Sequence[float], window: int = 5) -> int:
    """The first step from which the fresh start's losses, as means of five, are no higher than the warm start's."""
    means = [[mean(each[at : at + window]) for at in range(max(1, len(each) - window + 1))] for each in (fresh, warm)]
    return next((at + 1 for at, (a, b) in enumerate(zip(*means, strict=True)) if a <= b), len(fresh))


def main() -> None:
    """The late loss of the warm prompt at each rate."""
    for rate in WARM_PROMPT_RATES:
        print(f"{rate:g}: {late(trained_on(prepared('warm prompt')[0], 'cmu', rate)):.2f}", flush=True)


if __name__ == "__main__":
    main()
