"""Lesson 14: LoRA's relatives and IA3."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="rslora",
        title="The factor in front: α/r or α/√r",
        topic="low_rank",
        lesson=14,
        module="peft.low_rank",
        targets=("scaling_of",),
        difficulty=1,
        minutes=5,
        after=("lora",),
        hints=(
            "LoRA divides α by the rank. At large ranks that makes the update too small.",
            "rsLoRA divides by the root of the rank: alpha / math.sqrt(rank).",
        ),
        wrong=(
            Wrong("alpha / math.sqrt(rank) if use_rslora else alpha / rank", "alpha / rank", "which is LoRA's"),
            Wrong("if use_rslora else", "if not use_rslora else", "which is rsLoRA's"),
            Wrong("else alpha / rank", "else alpha", "that is α alone"),
            Wrong("else alpha / rank", "else rank / alpha", "that is r / α"),
            Wrong("alpha / math.sqrt(rank)", "math.sqrt(alpha / rank)", "√(α / r)"),
        ),
    ),
    Exercise(
        name="lora_plus",
        title="B learns faster than A",
        topic="low_rank",
        lesson=14,
        module="peft.lora_plus",
        targets=("lora_plus_groups",),
        difficulty=3,
        minutes=20,
        after=("lora", "parameter_groups"),
        hints=(
            "Only the optimizer's groups change. Start from parameter_groups(...) and split each of its groups in two.",
            "Which parameters are a lora_B is known by name: model.named_parameters(). Compare parameters by id().",
            "The faster part of a group keeps all its settings but lr, which becomes ratio * learning_rate; empty parts are left "
            "out. A ratio that is not positive, or a model without lora_B, is a ValueError.",
        ),
        wrong=(
            Wrong('"params": faster, "lr": ratio * learning_rate', '"params": faster', "value: B's rate is"),
            Wrong('".lora_B." in', '".lora_A." in', "value: B's rate is"),
            Wrong('"lr": ratio * learning_rate', '"lr": learning_rate / ratio', "value: B's rate is"),
            Wrong('groups += [{**group, "params": slower}] if slower else []', "pass", "missing or too many"),
            Wrong("if not fast:", "if False:", "a model without lora is refused"),
            Wrong("if not ratio > 0.0:", "if False:", "a ratio that is not positive is refused"),
        ),
    ),
    Exercise(
        name="dora",
        title="Turn the rows, then stretch them",
        topic="relatives",
        lesson=14,
        module="peft.dora",
        targets=(
            "row_lengths",
            "DoraLinear.directions",
            "DoraLinear.stretch",
            "DoraLinear.change",
            "DoraLinear.merged",
        ),
        difficulty=4,
        minutes=45,
        after=("lora",),
        hints=(
            "V = W + (α/r) B A; its rows are brought to the length that self.lora_magnitude_vector says: stretch = m / ‖V‖.",
            "`directions` stands under torch.no_grad(): no gradient passes through the lengths. The bias is never stretched.",
            "What is added to y = base(x): (stretch - 1) · W x + stretch · (α/r) B A x. Without dropout W x is y - bias; in training "
            "with dropout, W x and B A x read dropout(x), while base(x) has read x.",
            "row_lengths: vector_norm over dim=1, at least SMALLEST (clamp_min). merged: "
            "rewritten(self.base, stretch[:, None] * directions, bias).",
        ),
        wrong=(
            Wrong(
                "torch.linalg.vector_norm(weight, dim=1)",
                "torch.linalg.vector_norm(weight, dim=1).square()",
                "it is the square of the length",
            ),
            Wrong(".clamp_min(SMALLEST)", "", "1 / 0 is infinite"),
            Wrong("weight_of(self.base) + product", "product", "the base's weight is missing"),
            Wrong(
                "self.lora_magnitude_vector / row_lengths(self.directions())",
                "self.lora_magnitude_vector",
                "not divided by their length",
            ),
            Wrong("(stretch - 1) * unturned + stretch * update", "update", "value: the output"),
            Wrong("else y - self.base.bias", "else y", "the bias is stretched too"),
            Wrong("+ stretch * update", "+ update", "the update is not stretched"),
            Wrong(
                "self.stretch()[:, None] * self.directions()", "self.directions()", "the directions are not stretched"
            ),
            Wrong(
                "self.directions(), self.base.bias)",
                "self.directions(), self.stretch() * self.base.bias)",
                "it stays as it is",
            ),
        ),
        harmless=("if self.training and (self.dropout.p >= 0.0):",),
    ),
    Exercise(
        name="pissa",
        title="Start at the principal directions",
        topic="relatives",
        lesson=14,
        module="peft.pissa",
        targets=("principal_factors", "PissaLinear.delta", "PissaLinear.merged"),
        difficulty=3,
        minutes=30,
        after=("lora",),
        hints=(
            "The singular value decomposition of W gives its best approximation of rank r: the first r directions.",
            "Each factor takes the root of the singular values, and they are divided by the scaling first, because s · B A is used.",
            "delta: s · (B A dropout(x) - B₀ A₀ x), with the start in self.start_B, self.start_A; up_product(x, B₀) is x B₀ᵀ. merged: the same difference, "
            "s · (B A - B₀ A₀), with plus_delta.",
        ),
        wrong=(
            Wrong(
                "left[:, :rank] * root, root[:, None] * right[:rank]",
                "left[:, :rank], right[:rank]",
                "the singular values are missing",
            ),
            Wrong("(values[:rank] / scaling).sqrt()", "values[:rank].sqrt()", "too large by √s each"),
            Wrong("(values[:rank] / scaling).sqrt()", "values[:rank] / scaling", "the singular values are there twice"),
            Wrong(
                "self.lora_A(self.dropout(x))) - start",
                "self.lora_A(self.dropout(x)))",
                "the start is not subtracted",
            ),
            Wrong(
                "start = up_product(self.scaling * F.linear(x, self.start_A), self.start_B)",
                "x = self.dropout(x)\n        start = up_product(self.scaling * F.linear(x, self.start_A), self.start_B)",
                "dropout falls on both",
            ),
            Wrong(
                "self.lora_A, self.scaling) - self.scaling * (self.start_B @ self.start_A)",
                "self.lora_A, self.scaling)",
                "not subtracted from the weight",
            ),
        ),
    ),
    Exercise(
        name="vera",
        title="Two vectors on shared random directions",
        topic="relatives",
        lesson=14,
        module="peft.vera",
        targets=("VeraLinear.shared", "VeraLinear.delta", "VeraLinear.merged"),
        difficulty=3,
        minutes=25,
        after=("lora",),
        hints=(
            "shared: the layer's part of the large matrices: B's first d_out rows and A's first d_in columns.",
            "delta: A dropout(x), times λ_d, then B, times λ_b. F.linear(x, A) is x Aᵀ.",
            "merged: diag(λ_b) B diag(λ_d) A. A diagonal matrix in front scales rows: λ[:, None] * M.",
        ),
        wrong=(
            Wrong(
                "self.vera_lambda_d * F.linear(",
                "F.linear(",
                "λ_d is missing",
            ),
            Wrong("return self.vera_lambda_b * ", "return ", "λ_b is missing"),
            Wrong("vera_B[: self.base.out_features]", "vera_B[-self.base.out_features :]", "this layer's part of B"),
            Wrong(
                "vera_A[:, : self.base.in_features]", "vera_A[:, -self.base.in_features :]", "this layer's part of A"
            ),
            Wrong("self.dropout(x)", "x", "when dropout leaves nothing"),
            Wrong("(self.vera_lambda_d[:, None] * down)", "down", "what the merged layer computes"),
        ),
    ),
    Exercise(
        name="ia3",
        title="One factor for each feature",
        topic="relatives",
        lesson=14,
        module="peft.ia3",
        targets=("scaled", "IA3Linear.forward", "IA3Linear.merged"),
        difficulty=2,
        minutes=20,
        hints=(
            "Keys and values are scaled as they come out of the layer; in the feed forward the layer's input is scaled.",
            "scaled(features, factors) is their product, with the factors as one row: flatten(). self.feedforward says which of the two "
            "is meant.",
            "merged: self.ia3_l has the shape (d_out, 1) or (1, d_in), so ia3_l * W is right for both. The bias is scaled with the "
            "output, never with the input; a base may have none.",
        ),
        wrong=(
            Wrong("return self.base(scaled(x, self.ia3_l))", "return self.base(x)", "nothing is scaled"),
            Wrong("return scaled(self.base(x), self.ia3_l)", "return self.base(x)", "nothing is scaled"),
            Wrong(
                "return scaled(self.base(x), self.ia3_l)",
                "return self.base(x) + scaled(self.base(x), self.ia3_l)",
                "added to the base's",
            ),
            Wrong("bias = scaled(bias, self.ia3_l)", "bias = bias", "the bias is not scaled"),
            Wrong("self.ia3_l * weight_of(self.base)", "weight_of(self.base)", "the weight is not scaled"),
            Wrong(
                "if bias is not None and not self.feedforward:",
                "if not self.feedforward:",
                "a layer without a bias can be merged",
            ),
        ),
    ),
]
