"""It forgets what it knew."""

from lessons.clinic.case import Case, Settings
from lessons.clinic.cases.loaded import training
from lessons.clinic.world import World

STEPS = 24


def forgets(world: World) -> tuple[Settings, Settings]:
    runs = []
    for batches, rate in ((world.batches, 10 * world.full_rate), ([*world.batches, *world.other], world.full_rate)):
        model = world.train(world.base(), batches, rate, STEPS)
        runs.append({"model": model, "batches": world.batches, "base": world.base(), "other": world.other})
    return runs[0], runs[1]


def thawed(world: World) -> tuple[Settings, Settings]:
    sick, well = training(world)
    sick["model"].requires_grad_(True)
    sick["optimizer"] = world.optimizer(sick["model"])
    return sick, well


def test_words(world: World) -> tuple[Settings, Settings]:
    given = {"model": world.tuned(), "batches": world.batches[:1]}
    later = {name: tensor[2:] for name, tensor in world.batches[1].items()}  # a word may have two pronunciations
    return {**given, "held_out": world.batches[:1]}, {**given, "held_out": [later]}


CASES = (
    Case(
        "forgetting", 4, "It is good at the new task, and has lost the old one.",
        "Every weight moved, far, on the new task alone.",
        "Mix examples of the old task in, take a lower rate and fewer steps, or an adapter that can be switched off.",
        ("hiyouga/LLaMA-Factory#2611", "Lightning-AI/litgpt#1517"), 11, forgets,
    ),
    Case(
        "base-not-frozen", 4, "With the adapter off the model is not the base any more.",
        "The base's parameters take gradients beside the adapter's.",
        "Let get_peft_model freeze the base, and do not call requires_grad_(True) or train its embeddings after it.",
        ("huggingface/trl#2428",), 11, thawed,
    ),
    Case(
        "test-in-training", 4, "The test is nearly perfect; users say otherwise.",
        "Held-out examples are among those trained on: it remembers them.",
        "Split by what is read, not by row, before anything else is done.",
        ("ise-uiuc/magicoder#33",), 8, test_words,
    ),
)  # fmt: skip
