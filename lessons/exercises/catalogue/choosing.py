"""Lesson 32: choosing a strategy."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="combine",
        title="Several adapters become one",
        topic="tuning",
        lesson=32,
        module="peft.combine",
        targets=("linear", "cat", "svd"),
        difficulty=3,
        minutes=30,
        after=("lora",),
        hints=(
            "What is wanted is the weighted sum of the updates, Σ w s B A. `parts` holds a weight and a LoRA layer for each adapter. "
            "What you return are two factors, up (d_out × rank) and down (rank × d_in), with up @ down as the sum.",
            "cat: the B side by side (dim=1), the A below each other, each A times its weight and its layer's scaling. Exact.",
            "svd: make the matrix of the sum with product(layer.lora_B, layer.lora_A, layer.scaling), and keep its first singular "
            "directions: as many as svd_rank says, else the largest rank of the parts.",
            "linear: each factor takes the root of |w| s, so that the product has it once; the sign of w goes to A alone. Ranks that "
            "differ cannot be added: ValueError.",
        ),
        wrong=(
            Wrong(
                "weight * layer.scaling * layer.lora_A.weight",
                "weight * layer.lora_A.weight",
                "the scaling α/r is missing",
            ),
            Wrong(
                "weight * layer.scaling * layer.lora_A.weight",
                "layer.scaling * layer.lora_A.weight",
                "the weights are missing",
            ),
            Wrong("math.copysign(root, weight)", "root", "a negative weight adds"),
            Wrong("math.sqrt(abs(weight) * layer.scaling)", "abs(weight) * layer.scaling", "once in each factor"),
            Wrong("left[:, :rank] * values[:rank]", "left[:, :rank]", "the singular values are missing"),
            Wrong("torch.stack(deltas).sum(dim=0)", "torch.stack(deltas).mean(dim=0)", "the mean of the updates"),
            Wrong("svd_rank or max(", "max(", "the rank that was asked for"),
            Wrong("if len(set(ranks)) > 1:", "if False:", "linear with ranks that differ is refused"),
        ),
    ),
]
