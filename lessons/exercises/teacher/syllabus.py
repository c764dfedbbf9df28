"""Twelve weeks: which lessons and exercises belong to each. The names are the catalogue's; numbers come from it."""

from collections.abc import Sequence
from dataclasses import dataclass

from lessons.exercises import catalogue
from lessons.exercises.course import LESSONS
from lessons.exercises.exercise import Exercise

WEEKS = (
    ("What fine-tuning is; how words become vectors", "fine_tuning input_embedding"),
    ("Attention", "attention multi_head_attention"),
    ("What stands around it", "add_norm feed_forward_and_encoder"),
    ("The decoder and the loss", "masks_and_decoder output_and_loss"),
    ("Training it and letting it speak", "pretraining decoding"),
    ("Fine-tuning all, or very little", "full_fine_tuning bitfit_and_layernorm"),
    ("LoRA and its relatives", "lora lora_relatives"),
    ("Four bits", "nf4 qlora"),
    ("Adapters and virtual tokens", "adapters prompt_tuning p_tuning"),
    ("Prefixes, scales and shifts", "prefix_tuning p_tuning_v2 ssf pill"),
    ("Learning from preferences: a reward, PPO", "reward_model ppo"),
    (
        "DPO, GRPO, real models, what goes wrong, and choosing",
        "dpo grpo sentiment language_model instruction_tuning clinic choosing",
    ),
)
"""What a week is about, and the files of the catalogue that are its homework."""


@dataclass(frozen=True)
class Week:
    number: int
    title: str
    lessons: Sequence[int]
    exercises: Sequence[Exercise]

    @property
    def minutes(self) -> int:
        return sum(exercise.minutes for exercise in self.exercises)


def syllabus() -> list[Week]:
    """The weeks with their lessons. A lesson without exercises stands in the week of the lesson before it."""
    asked = [[each for file in files.split() for each in exercises_in(file)] for _, files in WEEKS]
    belongs = {exercise.lesson: week for week, exercises in enumerate(asked) for exercise in exercises}
    week = 0
    for lesson in LESSONS:
        week = belongs.setdefault(lesson, week)
    weeks = []
    for week, ((title, _), exercises) in enumerate(zip(WEEKS, asked, strict=True)):
        own = {exercise.lesson for exercise in exercises}
        lessons = sorted(own | {lesson for lesson in LESSONS if belongs[lesson] == week})
        weeks.append(Week(week + 1, title, lessons, exercises))
    return weeks


def exercises_in(file: str) -> list[Exercise]:
    """Raises ValueError for a file that the catalogue does not have."""
    if file not in catalogue.FILES:
        raise ValueError(f"the catalogue has no {file}: {', '.join(catalogue.FILES)}")
    return catalogue.exercises_of(file)
