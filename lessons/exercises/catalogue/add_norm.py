"""Lesson 5: Add & Norm."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="layer_norm",
        title="Every vector to mean 0 and variance 1",
        topic="layers",
        lesson=5,
        module="transformer.add_norm",
        targets=("LayerNorm.forward",),
        difficulty=2,
        minutes=15,
        hints=(
            "Mean and variance are taken over the last axis, one of each for every vector; keepdim=True lets them broadcast.",
            "The variance is the mean of the squared deviations: divided by d_model, not by d_model - 1 (torch's default).",
            "weight · (x - mean) / √(variance + eps) + bias, with ε under the root.",
        ),
        forbidden=(
            "layer_norm",
            "native_layer_norm",
            "group_norm",
            "instance_norm",
            "batch_norm",
            "nn.LayerNorm",
            "FusedLayerNorm",
        ),
        wrong=(
            Wrong(
                "centered.square().mean(dim=-1, keepdim=True)", "x.var(dim=-1, keepdim=True)", "divided by d_model - 1"
            ),
            Wrong("torch.rsqrt(variance + self.eps)", "1 / (variance.sqrt() + self.eps)", "outside the root"),
            Wrong("torch.rsqrt(variance + self.eps)", "1 / (variance + self.eps)", "by the variance, not by its root"),
            Wrong("torch.rsqrt(variance + self.eps)", "torch.rsqrt(variance)", "ε is missing"),
            Wrong("centered * torch", "x * torch", "the mean is not subtracted"),
            Wrong("self.weight * (centered", "1 * (centered", "the gain `weight` is missing"),
            Wrong(" + self.bias", "", "the bias is missing"),
            Wrong(
                "centered = x - x.mean(dim=-1, keepdim=True)",
                "centered = x.sub_(x.mean(dim=-1, keepdim=True))",
                "x was changed in place",
            ),
        ),
    ),
    Exercise(
        name="add_norm",
        title="The residual connection, before or after the norm",
        topic="layers",
        lesson=5,
        module="transformer.add_norm",
        targets=("AddNorm.forward",),
        difficulty=2,
        minutes=10,
        after=("layer_norm",),
        hints=(
            "`sublayer` is a function: call it with what it should read. self.order says which of the two formulas is meant.",
            "Post-norm: the norm is the last thing that happens. Pre-norm: the sub-layer reads the norm of x; x itself goes past it.",
            "post: norm(x + dropout(sublayer(x)))      pre: x + dropout(sublayer(norm(x)))",
        ),
        wrong=(
            Wrong(
                "self.norm(x + self.dropout(sublayer(x)))",
                "self.norm(self.dropout(sublayer(x)))",
                "the residual is missing",
            ),
            Wrong(
                "self.norm(x + self.dropout(sublayer(x)))",
                "x + self.norm(self.dropout(sublayer(x)))",
                "the norm comes before the sum",
            ),
            Wrong('self.order == "pre"', "True", "that is pre-norm"),
            Wrong('self.order == "pre"', "False", "that is post-norm"),
            Wrong(
                "return x + self.dropout(sublayer(self.norm(x)))",
                "x = self.norm(x); return x + self.dropout(sublayer(x))",
                "the residual is taken after the norm",
            ),
            Wrong(
                "self.norm(x + self.dropout(sublayer(x)))",
                "self.norm(self.dropout(x + sublayer(x)))",
                "never on the residual",
            ),
        ),
    ),
]
