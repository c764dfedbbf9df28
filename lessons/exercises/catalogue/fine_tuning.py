"""Lesson 1: what fine-tuning is."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="cosine_schedule",
        title="How fast may it learn, and when?",
        topic="tuning",
        lesson=1,
        module="transformer.learning.schedule",
        targets=("cosine_schedule",),
        difficulty=1,
        minutes=10,
        hints=(
            "check_step refuses impossible numbers. Then two parts: a line up to 1 at step = warmup, and half a cosine down to 0.",
            "Progress goes from 0 at the end of the warm-up to 1 at `total`: (step - warmup) / (total - warmup), never above 1.",
            "The fall is (1 + cos(π · progress)) / 2. A run that is all warm-up has total = warmup: do not divide by 0.",
        ),
        wrong=(
            Wrong("return step / warmup", "return 1.0", "it begins at the peak"),
            Wrong("0.5 * (1.0 + math.cos", "(1.0 + math.cos", "twice too large"),
            Wrong("math.pi * progress", "2.0 * math.pi * progress", "a whole wave"),
            Wrong("(step - warmup) / max(1, total - warmup)", "step / total", "the two parts do not meet"),
            Wrong("0.5 * (1.0 + math.cos(math.pi * progress))", "1.0 - progress", "a straight line"),
            Wrong(
                "min(1.0, (step - warmup) / max(1, total - warmup))",
                "(step - warmup) / max(1, total - warmup)",
                "after the last step",
            ),
        ),
        harmless=("if (step < warmup):",),
    ),
]
