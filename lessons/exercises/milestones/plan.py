"""Which exercise runs what when it is passed, and the milestone at the end of each part of the course. Data only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lessons.exercises.catalogue import all_exercises


@dataclass(frozen=True)
class Run:
    """A function of this room that runs beside a student's files, "speaking.american", and what it is given."""

    function: str
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Milestone:
    """`lessons`, the first and the last, is the part of the course that ends here; `main` are the exercises that must run in it."""

    name: str
    title: str
    lessons: tuple[int, int]
    main: tuple[str, ...]
    run: Run

    def holds(self, lesson: int) -> bool:
        return self.lessons[0] <= lesson <= self.lessons[1]


MILESTONES = {
    each.name: each
    for each in (
        Milestone(
            "transformer",
            "Your Transformer speaks",
            (1, 10),
            tuple(
                "sinusoidal_positional_encoding embed_source scaled_dot_product_attention split_heads multi_head_attention "
                "layer_norm add_norm feed_forward encoder_layer padding_mask causal_mask decoder_layer key_value_cache "
                "finished_beams beam_search".split()
            ),
            Run("speaking.american", {"count": 150, "beams": 2}),
        ),
        Milestone(
            "lora",
            "Your LoRA learns British",
            (11, 14),
            ("label_smoothed_cross_entropy", "collate", "parameter_groups", "lora", "lora_start", "rslora"),
            Run("learning.british", {"steps": 50, "count": 100}),
        ),
        Milestone(
            "four_bits",
            "Your NF4 carries British",
            (15, 16),
            ("pack_nibbles", "normal_float", "block_scales", "nearest_level", "double_quantization", "qlora"),
            Run("four_bits.carried", {"count": 60}),
        ),
        Milestone(
            "modules",
            "Your modules and prompts speak British",
            (17, 23),
            tuple(
                "adapter_bottleneck adapter_houlsby adapter_pfeiffer adapter_parallel prompt_tuning p_tuning prefix_tuning "
                "p_tuning_v2 ssf pill_adapter pill_routing pill_gate".split()
            ),
            Run("speaking.every_technique", {"count": 60}),
        ),
        Milestone(
            "reward",
            "Your PPO, GRPO and DPO raise the reward",
            (24, 27),
            tuple(
                "preference_loss response_mask token_log_probs kl_estimate adaptive_kl token_rewards gae whiten "
                "ppo_policy_loss ppo_value_loss dpo_loss grpo_advantages".split()
            ),
            Run("reward.they_raise_it"),
        ),
    )
}
"""Name → milestone, in the course's order."""

AMERICAN = (
    "sinusoidal_positional_encoding embed_source scaled_dot_product_attention split_heads multi_head_attention layer_norm "
    "add_norm feed_forward encoder_layer padding_mask decoder_layer key_value_cache"
)
BEAMS = "finished_beams beam_search"
SAMPLES = "truncate sample"
FOUR_BITS = "pack_nibbles block_scales double_quantization"
PATIENTS = "never_stops exported_model silent_adapter standing_loss small_batches four_bit_merge"
FORMULA = "normal_float nearest_level"
LEARNING = "label_smoothed_cross_entropy collate parameter_groups lora_start"
SHIPPED = {
    "bitfit": "bitfit owned_parameters",
    "ln_tuning": "ln_tuning",
    "lora": "lora",
    "rslora": "rslora",
    "dora": "dora",
    "vera": "vera",
    "ia3": "ia3",
    "qlora": "qlora",
    "adapter_houlsby": "adapter_bottleneck adapter_houlsby",
    "adapter_pfeiffer": "adapter_pfeiffer",
    "adapter_parallel": "adapter_parallel",
    "prompt_tuning": "prompt_tuning",
    "p_tuning": "p_tuning",
    "prefix_tuning": "prefix_tuning prefix_network",
    "p_tuning_v2": "p_tuning_v2",
    "ssf": "ssf",
    "pill": "pill_adapter pill_routing pill_gate",
}
"""Technique with a shipped adapter → the exercises on which it stands. PiSSA's is kept as the LoRA that it amounts to."""


def after_passing() -> dict[str, Run]:
    """Exercise → what its pass runs. Those that are not in it have only their milestone, or nothing to show."""
    runs = {name: Run("speaking.tomato") for name in AMERICAN.split()}
    runs["causal_mask"] = Run("speaking.tomato", {"use_cache": False})  # with one, each step sees only the past
    runs |= {name: Run("speaking.tomato", {"num_beams": 4}) for name in BEAMS.split()}
    drawn = {"do_sample": True, "temperature": 0.7, "top_p": 0.9}
    runs |= {name: Run("speaking.tomato", drawn) for name in SAMPLES.split()}
    runs |= {name: Run("four_bits.tomato") for name in FOUR_BITS.split()}
    runs |= {name: Run("four_bits.formula") for name in FORMULA.split()}
    runs |= {name: Run("learning.loss_falls") for name in LEARNING.split()}
    runs |= {name: Run("clinic.treated", {"patient": name}) for name in PATIENTS.split()}
    for method, names in SHIPPED.items():
        runs |= {name: Run("speaking.british", {"method": method}) for name in names.split()}
    return runs


def milestone_of(lesson: int) -> Milestone | None:
    """The one at the end of the lesson's part of the course."""
    return next((each for each in MILESTONES.values() if each.holds(lesson)), None)


def milestone(name: str) -> Milestone:
    """Raises ValueError for an unknown name, with those that there are."""
    if name not in MILESTONES:
        raise ValueError(f"there is no milestone {name!r}; there are {', '.join(MILESTONES)}")
    return MILESTONES[name]


def part(each: Milestone) -> Iterable[str]:
    """The names of all exercises of its part of the course."""
    return [name for name, exercise in all_exercises().items() if each.holds(exercise.lesson)]
