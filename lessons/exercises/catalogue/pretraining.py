"""Lesson 9: pretraining the base."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
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
