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
        name="cosine_schedule",
        title="How fast may it learn, and when?",
        topic="tuning",
        lesson=9,
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
