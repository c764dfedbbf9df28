"""All exercises, a file for each lesson, in the order in which they should be solved."""

import importlib
from collections.abc import Sequence
from functools import cache

from lessons.exercises.exercise import Exercise

FILES = (
    "fine_tuning input_embedding attention multi_head_attention add_norm feed_forward_and_encoder masks_and_decoder "
    "output_and_loss pretraining decoding full_fine_tuning bitfit_and_layernorm lora lora_relatives nf4 qlora adapters "
    "prompt_tuning p_tuning prefix_tuning p_tuning_v2 ssf pill reward_model ppo dpo grpo sentiment "
    "language_model instruction_tuning clinic choosing"
).split()
LIST = "`python -m lessons list` shows them all"


@cache
def all_exercises() -> dict[str, Exercise]:
    """Name → exercise, in the course's order."""
    return {exercise.name: exercise for file in FILES for exercise in exercises_of(file)}


def exercises_of(file: str) -> list[Exercise]:
    found: list[Exercise] = importlib.import_module(f"{__name__}.{file}").EXERCISES
    return found


def chosen(names: Sequence[str] | None) -> list[Exercise]:
    """The exercises with these names; all of them without names."""
    return [get(name) for name in names] if names else list(all_exercises().values())


def get(name: str) -> Exercise:
    """Raises ValueError for an unknown name, with those that are near it."""
    exercises = all_exercises()
    if name not in exercises:
        near = [other for other in exercises if name.lower() in other or other in name.lower()]
        raise ValueError(f"there is no exercise {name!r}; " + (f"did you mean {', '.join(near)}?" if near else LIST))
    return exercises[name]
