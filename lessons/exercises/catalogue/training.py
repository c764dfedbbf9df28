"""Lessons 8 and 9: what the model is asked for, and how it is trained."""

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
        wrong=(
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
    Exercise(
        name="collate",
        title="Teacher forcing: read one step behind what you must say",
        topic="training",
        lesson=9,
        module="transformer.learning.batching",
        targets=("collate",),
        difficulty=2,
        minutes=15,
        hints=(
            "A pair is (source, target), and the target ends with eos. `pad` turns rows of unequal length into a matrix.",
            "labels: the target as it is. inputs: bos, and then the target without its last token. Both are equally long.",
            "[bos_id, *target[:-1]] for each target: cut before padding, not after it.",
        ),
        wrong=(
            Wrong("[[bos_id, *target[:-1]] for", "[[bos_id, *target] for", "the last token stays in inputs"),
            Wrong("[[bos_id, *target[:-1]] for", "[target for", "reads what it must say"),
            Wrong(
                "pad([[bos_id, *target[:-1]] for _, target in pairs], pad_id)",
                "pad([[bos_id, *target] for _, target in pairs], pad_id)[:, :-1]",
                "the last column is cut off",
            ),
            Wrong("pad([target for", "pad([[bos_id, *target] for", "labels begin with bos"),
            Wrong("[bos_id, *target[:-1]]", "[pad_id, *target[:-1]]", "where bos is wanted"),
        ),
    ),
    Exercise(
        name="noam_schedule",
        title="The paper's learning rate",
        topic="training",
        lesson=9,
        module="transformer.learning.schedule",
        targets=("noam_schedule",),
        difficulty=1,
        minutes=5,
        hints=(
            "check_step refuses impossible numbers. The rest is one line: equation 3 of the paper.",
            "d_model^(-1/2) · min(step^(-1/2), step · warmup^(-3/2)). The two meet at step = warmup.",
        ),
        wrong=(
            Wrong("min(step", "max(step", "where the smaller is wanted"),
            Wrong("d_model**-0.5 * ", "", "√d_model times too large"),
            Wrong("warmup**-1.5", "warmup**-0.5", "rise and fall do not meet"),
            Wrong("min(step**-0.5, step * warmup**-1.5)", "step * warmup**-1.5", "it never falls"),
            Wrong("min(step**-0.5, step * warmup**-1.5)", "step**-0.5", "it never rises"),
        ),
    ),
    Exercise(
        name="parameter_groups",
        title="What weight decay may pull at",
        topic="training",
        lesson=9,
        module="transformer.learning.training",
        targets=("parameter_groups",),
        difficulty=2,
        minutes=15,
        hints=(
            "Two groups for the optimizer: matrices, which decay, and vectors (biases, gains), which do not.",
            "A group is a dict with the keys params, weight_decay and lr. Frozen parameters belong to none; an empty group is left out.",
            "parameter.dim() >= 2 is a matrix; parameter.requires_grad says whether it is trained. None at all: ValueError.",
        ),
        wrong=(
            Wrong(
                "for parameter in model.parameters() if parameter.requires_grad]",
                "for parameter in model.parameters()]",
                "a frozen parameter is in a group",
            ),
            Wrong(
                '"params": vectors, "weight_decay": 0.0',
                '"params": vectors, "weight_decay": weight_decay',
                "weight decay pulls at vectors",
            ),
            Wrong('{**group, "lr": learning_rate}', "group", "each group has the key lr"),
            Wrong(' if group["params"]]', "]", "one group, not 2"),
            Wrong("parameter.dim() >= 2", "parameter.dim() >= 1", "weight decay pulls at vectors"),
        ),
    ),
]
