"""Lesson 1: what fine-tuning is."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="trainable_numbers",
        title="How many numbers learn?",
        topic="counting",
        lesson=1,
        module="peft.frame.counting",
        targets=("trainable_and_all",),
        difficulty=1,
        minutes=2,
        hints=(
            "A tensor knows how many numbers are in it: tensor.numel(). It knows whether it learns: tensor.requires_grad.",
            "Two sums over `parameters`: one over those that learn, one over all. Return both, in this order.",
            "sum(p.numel() for p in parameters if p.requires_grad), and the same without the `if`.",
        ),
        wrong=(
            Wrong("if parameter.requires_grad", "if parameter.grad is not None", "not where it has a gradient already"),
            Wrong(
                "sum(parameter.numel() for parameter in parameters if parameter.requires_grad)",
                "len([parameter for parameter in parameters if parameter.requires_grad])",
                "the tensors are counted, not the numbers in them",
            ),
            Wrong("if parameter.requires_grad", "if not parameter.requires_grad", "those that are frozen are counted"),
            Wrong(" if parameter.requires_grad", "", "requires_grad is not asked"),
            Wrong(
                "return trainable, sum(parameter.numel() for parameter in parameters)",
                "return sum(parameter.numel() for parameter in parameters), trainable",
                "in the other order",
            ),
            Wrong(
                "return trainable, sum(parameter.numel() for parameter in parameters)",
                "return trainable, sum(p.numel() for p in parameters if not p.requires_grad)",
                "those that learn belong to all",
            ),
            Wrong(
                "return trainable, sum(parameter.numel() for parameter in parameters)",
                "return trainable, sum(parameter.shape[0] for parameter in parameters)",
                "only the first axis",
            ),
        ),
    ),
]
