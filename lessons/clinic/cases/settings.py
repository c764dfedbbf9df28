"""Rank, alpha, targets, rate: how to choose."""

from lessons.clinic.case import Case, Settings
from lessons.clinic.cases.loaded import training
from lessons.clinic.world import World


def low(world: World) -> tuple[Settings, Settings]:
    sick, well = training(world)
    sick["optimizer"] = world.optimizer(sick["model"], 1e-5)
    return sick, well


def high(world: World) -> tuple[Settings, Settings]:
    sick, well = training(world)
    sick["optimizer"] = world.optimizer(sick["model"], 10.0)
    return sick, well


def alpha(world: World) -> tuple[Settings, Settings]:
    sick, well = world.tuned(), world.tuned()
    for module in sick.modules():
        if hasattr(module, "lora_A"):
            module.scaling = module.scaling / 32  # the rank grew by as much, and α stayed
    return {"model": sick, "batches": world.batches}, {"model": well, "batches": world.batches}


def diverges(world: World) -> tuple[Settings, Settings]:
    runs = []
    for rate in (30 * world.rate, 0.1 * world.rate):
        model = world.train(world.fresh(), world.batches, rate, 8)
        runs.append({"model": model, "batches": world.batches})
    return runs[0], runs[1]


def evaluating(world: World) -> tuple[Settings, Settings]:
    sick, well = training(world)
    sick["model"].eval()
    return sick, well


CASES = (
    Case(
        "rate-too-low", 5, "The loss falls so slowly that the adapter seems to do nothing.",
        "Full fine-tuning's rate was taken for an adapter.",
        "An adapter wants ten to a hundred times that rate: search it by factors of three.",
        ("hiyouga/LLaMA-Factory#2465",), 13, low,
    ),
    Case(
        "rate-too-high", 5, "The loss leaps, and ends above where it began.",
        "A rate of another technique: a prompt's for weights, or a slip in the exponent.",
        "Divide by ten until the first hundred steps fall.",
        ("hiyouga/LLaMA-Factory#7627",), 11, high,
    ),
    Case(
        "alpha-forgotten", 5, "A larger rank learns less than a small one.",
        "The scale is α/r: r was raised and α left.",
        "Raise α with r, or take rsLoRA, whose scale is α/√r.",
        ("unslothai/unsloth#1304", "hiyouga/LLaMA-Factory#1354"), 13, alpha,
    ),
    Case(
        "diverged", 5, "After training the model is worse than without its adapter.",
        "Its steps were too long: training diverged and was not looked at.",
        "Take an earlier checkpoint; train again with a lower rate, a warm-up and clipping.",
        ("tloen/alpaca-lora#226",), 11, diverges,
    ),
    Case(
        "eval-mode-in-training", 5, "It learns the training examples by heart.",
        "An evaluation in between left the model in evaluation mode: dropout is off from then on.",
        "model.train() after every evaluation.",
        ("hiyouga/LLaMA-Factory#1504",), 5, evaluating,
    ),
)  # fmt: skip
