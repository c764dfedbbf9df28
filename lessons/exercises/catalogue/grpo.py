"""Lesson 27: GRPO."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="grpo_advantages",
        title="Each answer against the others to the same prompt",
        topic="policy",
        lesson=27,
        module="rlhf.grpo_loss",
        targets=("grpo_advantages",),
        difficulty=2,
        minutes=15,
        hints=(
            "Groups stand one after another: one row for each group, the mean and the unbiased deviation of each row.",
            "(reward - mean) / (deviation + 1e-4), or without the division if that is asked; a group of equal rewards gets exact "
            "zeros: compare its largest with its smallest.",
        ),
        wrong=(
            Wrong("groups.mean(dim=1, keepdim=True)", "rewards.mean()", "value: the advantages"),
            Wrong("groups.std(dim=1, keepdim=True)", "groups.std(dim=1, keepdim=True, correction=0)", "the biased one"),
            Wrong(
                "groups.std(dim=1, keepdim=True)", "groups.var(dim=1, keepdim=True)", "by the variance, not by its root"
            ),
            Wrong("groups - groups.mean(dim=1, keepdim=True)", "groups", "the mean is not subtracted"),
            Wrong("keepdim=True) + 1e-4", "keepdim=True)", "what must hold"),
            Wrong('"(groups member) -> groups member"', '"(member groups) -> groups member"', "value: the advantages"),
            Wrong("better.masked_fill(silent, 0.0)", "better", "the advantages of equal rewards"),
        ),
    ),
]
