"""Lesson 13: LoRA."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="lora",
        title="A frozen matrix learns through two thin ones",
        topic="low_rank",
        lesson=13,
        module="peft.lora",
        targets=("LoraLinear.delta", "LoraLinear.merged"),
        difficulty=2,
        minutes=20,
        hints=(
            "delta is what is added to the base's output: (α/r) · B A x. AdditiveLayer adds it.",
            "self.dropout falls on x; self.lora_A goes down to the rank, self.lora_B up again; self.scaling is α/r.",
            "merged: product(self.lora_B, self.lora_A, self.scaling) is ΔW, and plus_delta(self.base, ΔW) a plain layer of W + ΔW.",
        ),
        wrong=(
            Wrong("self.scaling * self.lora_A", "self.lora_A", "α/r times too small"),
            Wrong(
                "self.scaling * self.lora_A",
                "self.scaling * self.scaling * self.lora_A",
                "α/r times too large",
            ),
            Wrong("return self.lora_B", "return self.base(x) + self.lora_B", "delta is only what is added"),
            Wrong("self.dropout(x)", "x", "dropout is not used"),
            Wrong("self.lora_A, self.scaling)", "self.lora_A, 1.0)", "without its scale α/r"),
            Wrong("self.lora_B, self.lora_A, self.scaling", "self.lora_A, self.lora_B, self.scaling", "RuntimeError"),
            Wrong(
                "return plus_delta(self.base, product(self.lora_B, self.lora_A, self.scaling))",
                "self.base.weight.data += product(self.lora_B, self.lora_A, self.scaling)\n        return plus_delta(self.base, 0 * self.base.weight)",
                "merged() wrote into the base",
            ),
            Wrong("(self.dropout(x)))", "(self.dropout(x))).detach()", "gradient"),
        ),
    ),
    Exercise(
        name="lora_start",
        title="How A and B start",
        topic="low_rank",
        lesson=13,
        module="peft.low_rank",
        targets=("new_factors", "product"),
        difficulty=2,
        minutes=15,
        hints=(
            "Two linear layers without bias: A from d_in to rank, B from rank to d_out. Their product must be 0 at the start.",
            "B is filled with zeros unless both are asked to be random. nn.Linear's own start is uniform on ±1/√d_in for A.",
            '"gaussian": nn.init.normal_(down.weight, std=1 / rank). product: scaling * (up.weight @ down.weight), B first.',
        ),
        wrong=(
            Wrong("nn.init.zeros_(up.weight)", "nn.init.zeros_(down.weight)", "B starts at 0"),
            Wrong("std=1 / rank", "std=1.0", "A's deviation"),
            Wrong("if initialization is not False:", "if True:", "with False B is random"),
            Wrong("rank, bias=False", "rank, bias=True", "A has no bias"),
            Wrong("nn.Linear(d_in, rank, bias=False", "nn.Linear(rank, d_in, bias=False", "shape: A is"),
            Wrong("scaling * (up.weight @ down.weight)", "up.weight @ down.weight", "s times too small"),
        ),
    ),
]
