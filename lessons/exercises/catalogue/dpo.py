"""Lesson 26: DPO."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="dpo_loss",
        title="Preferences straight into the policy",
        topic="preferences",
        lesson=26,
        module="rlhf.dpo_loss",
        targets=("dpo_loss",),
        difficulty=2,
        minutes=15,
        after=("preference_loss",),
        hints=(
            "The reward that the policy has learnt is β (log π(y) - log ref(y)). Put it into the preference loss.",
            "margin = β ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected)); -log σ(margin), the mean.",
            "With label smoothing ε: -(1 - ε) log σ(margin) - ε log σ(-margin).",
        ),
        wrong=(
            Wrong(
                "(policy_chosen - reference_chosen) - (policy_rejected - reference_rejected)",
                "policy_chosen - policy_rejected",
                "the reference is not used",
            ),
            Wrong(
                "(policy_chosen - reference_chosen) - (policy_rejected - reference_rejected)",
                "(policy_rejected - reference_rejected) - (policy_chosen - reference_chosen)",
                "value: the loss",
            ),
            Wrong("beta * ((policy", "((policy", "β is not used"),
            Wrong(".mean()", ".sum()", "where the mean is wanted"),
            Wrong("(policy_chosen - reference_chosen)", "(policy_chosen + reference_chosen)", "value: the loss"),
            Wrong(
                "label_smoothing * F.logsigmoid(-margin)",
                "label_smoothing * F.logsigmoid(margin)",
                "the label smoothing is not used",
            ),
            Wrong(
                "(1.0 - label_smoothing) * F.logsigmoid(margin) + label_smoothing * F",
                "label_smoothing * F.logsigmoid(margin) + (1.0 - label_smoothing) * F",
                "value: the loss",
            ),
        ),
    ),
]
