"""Lesson 17: adapters."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="adapter_bottleneck",
        title="Narrow, a non-linearity, wide again",
        topic="sub_layers",
        lesson=17,
        module="peft.bottleneck",
        targets=("Bottleneck.forward",),
        difficulty=1,
        minutes=10,
        hints=(
            "self.down, an activation, self.up. The residual is not here: the styles differ in where it is added.",
            "ACTIVATIONS[self.activation] is the style's non-linearity.",
        ),
        wrong=(
            Wrong(
                "ACTIVATIONS[self.activation](self.down(x))",
                "self.down(x)",
                "the activation is missing",
            ),
            Wrong("ACTIVATIONS[self.activation]", 'ACTIVATIONS["relu"]', "the style's own activation is not used"),
            Wrong("return self.up(", "return x + self.up(", "the input is added"),
            Wrong("(self.down(x)))", "(self.down(x.detach())))", "gradient"),
        ),
    ),
    Exercise(
        name="adapter_houlsby",
        title="Behind the sub-layer, before the residual",
        topic="sub_layers",
        lesson=17,
        module="peft.bottleneck",
        targets=("HoulsbyAdapter.forward",),
        difficulty=1,
        minutes=5,
        after=("adapter_bottleneck",),
        hints=(
            "self.base is the dropout on the sub-layer's output; the adapter reads what comes out of it.",
            "The adapter's own residual: h + adapter(h), with h = self.base(x).",
        ),
        wrong=(
            Wrong("return h + self.adapter(h)", "return self.adapter(h)", "has a residual of its own"),
            Wrong("return h + self.adapter(h)", "return h + self.adapter(x)", "what came before the dropout"),
            Wrong("return h + self.adapter(h)", "return h", "the adapter is not used"),
            Wrong("return h + self.adapter(h)", "return h + h + self.adapter(h)", "is there twice"),
        ),
    ),
    Exercise(
        name="adapter_pfeiffer",
        title="Reading the norm of the residual sum",
        topic="sub_layers",
        lesson=17,
        module="peft.bottleneck",
        targets=("PfeifferAdapter.forward",),
        difficulty=3,
        minutes=20,
        after=("adapter_houlsby", "add_norm"),
        hints=(
            "self.base is the whole Add & Norm: its parts are self.base.norm, self.base.dropout and self.base.order.",
            "f = dropout(sublayer(x)). Post-norm: the adapter reads Norm(x + f), and after adding comes the same norm again.",
            "post: Norm(x + (f + adapter(Norm(x + f))))      pre, with f = dropout(sublayer(Norm(x))): x + (f + adapter(f))",
        ),
        wrong=(
            Wrong("f + self.adapter(self.base.norm(x + f))", "f", "the adapter is not used"),
            Wrong("self.adapter(self.base.norm(x + f))", "self.adapter(f)", "not the norm of the residual sum"),
            Wrong("self.adapter(self.base.norm(x + f))", "self.adapter(x + f)", "the sum without its norm"),
            Wrong(
                "return self.base.norm(x + (f + self.adapter(self.base.norm(x + f))))",
                "return x + (f + self.adapter(self.base.norm(x + f)))",
                "the second norm is missing",
            ),
            Wrong("sublayer(self.base.norm(x))", "sublayer(x)", "gives it the norm of x"),
            Wrong(
                "return x + (f + self.adapter(f))",
                "return x + self.adapter(f)",
                "the feed forward's output is not added",
            ),
        ),
    ),
    Exercise(
        name="adapter_parallel",
        title="Beside the feed forward",
        topic="sub_layers",
        lesson=17,
        module="peft.bottleneck",
        targets=("ParallelAdapter.delta",),
        difficulty=1,
        minutes=5,
        after=("adapter_bottleneck",),
        hints=(
            "delta is what is added to the feed forward's output. The adapter reads the feed forward's *input*.",
            "self.scaling * self.adapter(x).",
        ),
        wrong=(
            Wrong("self.scaling * ", "", "s times too small"),
            Wrong("self.adapter(x)", "self.adapter(self.base(x))", "that would be in series"),
            Wrong("return self.scaling", "return self.base(x) + self.scaling", "delta is only what is added"),
            Wrong("self.scaling * ", "self.scaling * self.scaling * ", "s times too large"),
        ),
    ),
]
