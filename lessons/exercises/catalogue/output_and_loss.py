"""Lesson 8: output, softmax and loss."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="label_smoothed_cross_entropy",
        title="How surprised is the model?",
        topic="training",
        lesson=8,
        module="transformer.learning.loss",
        targets=("label_smoothed_cross_entropy",),
        difficulty=4,
        minutes=35,
        hints=(
            "check_arguments refuses what makes no sense. Then log-probabilities: log_softmax over the vocabulary.",
            "The right token's log-probability: gather(-1, target.unsqueeze(-1)).squeeze(-1). With smoothing ε the loss of a token "
            "is (1 - ε) · (-log p_y) + ε · the mean of -log p over all ids that may occur, the right one with them.",
            "Ids in `never` get the logit -inf before the softmax, and are left out of that mean: count and sum without them "
            "(-inf · 0 is NaN, so fill with 0 instead of multiplying). Padding is chosen away with torch.where, and the mean is "
            "over the real tokens only.",
        ),
        forbidden=("cross_entropy", "CrossEntropyLoss"),
        wrong=(
            Wrong(
                "total / real.sum()",
                "(torch.where(real, loss, torch.zeros_like(loss)).sum(-1) / real.sum(-1)).mean()",
                "then a token of a short row counts more",
            ),
            Wrong("-log_probs.index_fill(-1, excluded, 0.0).sum", "-log_probs.sum", "ids of `never` are in the mean"),
            Wrong("total / real.sum()", "total / real.numel()", "divided by all positions"),
            Wrong("torch.where(real, loss, torch.zeros_like(loss)).sum()", "loss.sum()", "value: the loss"),
            Wrong("total / real.sum()", "total", "where the mean is wanted"),
            Wrong("loss = -log_probs.gather", "loss = log_probs.gather", "the opposite sign"),
            Wrong(
                "(1.0 - smoothing) * loss + smoothing * uniform",
                "smoothing * loss + (1.0 - smoothing) * uniform",
                "have changed places",
            ),
            Wrong(
                "(1.0 - smoothing) * loss + smoothing * uniform",
                "loss + smoothing * uniform",
                "keeps the whole of its mass",
            ),
            Wrong(".sum(dim=-1) / allowed", ".sum(dim=-1)", "not divided by the number of tokens"),
            Wrong('.index_fill(-1, excluded, float("-inf"))', "", "symbols that must never be said take no part"),
            Wrong(
                "torch.where(real, loss, torch.zeros_like(loss)).sum()", "(real * loss).sum()", "finite: the loss is"
            ),
        ),
        harmless=("if (smoothing >= 0.0):",),
    ),
]
