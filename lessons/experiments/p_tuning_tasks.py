"""Lesson 19's second task: does an encoder that one task has trained help another?

`python -m lessons.experiments.p_tuning_tasks` searches the warm prompt's rate and keeps what it finds.
"""

import json
from collections.abc import Sequence
from statistics import mean

from lessons.compare.study_rows import RESULTS
from lessons.experiments.p_tuning import british_model, encoder_of, encoder_rate, prompt_of, trained_on
from lessons.task.dictionary import load, words
from lessons.task.finetuning import adapted, rate_of
from lessons.task.scoring import Score, evaluate
from peft import PeftModel, drop_encoders

WARM_PROMPT = RESULTS / "warm_prompt.json"
RATES = (0.1, 1.0, 3.0, 10.0, 30.0, 100.0)
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
    own = {"shared, frozen": rate_of("prompt_tuning"), "warm prompt": warm_prompt_rate()}  # few numbers, or large ones
    return model, own.get(start, encoder_rate())


def warm_prompt_losses() -> dict[float, float]:
    """Rate → the warm prompt's late loss, as kept."""
    return {float(rate): loss for rate, loss in json.loads(WARM_PROMPT.read_text(encoding="utf-8")).items()}


def warm_prompt_rate() -> float:
    """The best one kept."""
    losses = warm_prompt_losses()
    return min(losses, key=losses.__getitem__)


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
    losses = {}
    for rate in RATES:
        losses[rate] = late(trained_on(prepared("warm prompt")[0], "cmu", rate))
        print(f"{rate:g}: {losses[rate]:.2f}", flush=True)
    WARM_PROMPT.write_text(json.dumps(losses, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
