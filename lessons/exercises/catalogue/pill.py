"""Lesson 23: PILL."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="pill_adapter",
        title="One narrow vector weights the other",
        topic="sub_layers",
        lesson=23,
        module="peft.pill_layers",
        targets=("GLUAdapter.forward",),
        difficulty=1,
        minutes=10,
        after=("adapter_bottleneck",),
        hints=(
            "Two ways down: self.gate and self.down. silu of the gate multiplies the other; self.up leads back.",
            "self.up(F.silu(self.gate(x)) * self.down(x)).",
        ),
        wrong=(
            Wrong("F.silu(self.gate(x))", "self.gate(x)", "silu is missing"),
            Wrong(
                "F.silu(self.gate(x)) * self.down(x)",
                "self.gate(x) * F.silu(self.down(x))",
                "silu falls on the wrong one",
            ),
            Wrong(
                "F.silu(self.gate(x)) * self.down(x)",
                "F.silu(self.gate(x)) + self.down(x)",
                "where they are multiplied",
            ),
            Wrong("F.silu(self.gate(x)) * self.down(x)", "F.silu(self.gate(x))", "the gate alone is widened"),
            Wrong("F.silu(", "F.sigmoid(", "a sigmoid stands where silu is wanted"),
            Wrong("return self.up", "return x + self.up", "the input is added"),
        ),
    ),
    Exercise(
        name="pill_routing",
        title="Each token's expert is that of its type",
        topic="sub_layers",
        lesson=23,
        module="peft.pill_layers",
        targets=("RoutedFeedForward.forward",),
        difficulty=3,
        minutes=25,
        after=("pill_adapter",),
        hints=(
            "The types are those of the token ids of the call: self.context.source or self.context.target; self.reads says which.",
            "self.types(ids, len(x)) gives the type of every token. Start with expert 0 and put in, where a token is of type n, "
            "what expert n makes of x: torch.where.",
            "In stage 1, in the last layer, known and new change places: (types == 0).long(). The feed forward reads x + change.",
        ),
        wrong=(
            Wrong("return self.base(x + change)", "return self.base(x)", "the experts are not used"),
            Wrong(
                "for number, expert in enumerate(self.experts[1:], start=1):",
                "for number, expert in enumerate(self.experts[:0], start=1):",
                "every token goes to expert 0",
            ),
            Wrong("return self.base(x + change)", "return self.base(x) + change", "the feed forward has to read it"),
            Wrong("return self.base(x + change)", "return self.base(change)", "x itself is missing"),
            Wrong("getattr(self.context, self.reads)", "self.context.source", "ValueError"),
            Wrong("if self.stage == 1 and self.is_last:", "if self.stage == 1:", "known and new have changed places"),
            Wrong("if self.stage == 1 and self.is_last:", "if False:", "known and new have changed places"),
        ),
    ),
    Exercise(
        name="pill_gate",
        title="A gate that lets a new type in little by little",
        topic="sub_layers",
        lesson=23,
        module="peft.pill_layers",
        targets=("ValueGate.forward", "weighted_by_head", "GatedValues.forward"),
        difficulty=3,
        minutes=20,
        after=("pill_routing",),
        hints=(
            "The gate is tanh(W_g x), one factor for each head. The values of new tokens are multiplied by it, those of known ones by 1.",
            "Types above 0 are new: self.types(self.context.source, len(x)) > 0. masked_fill puts 1 where a token is known.",
            'Split the values into heads (rearrange "batch time (heads d_head) -> batch time heads d_head"), multiply by '
            "factors.unsqueeze(-1), merge again. In stage 1 there is no gate.",
        ),
        wrong=(
            Wrong(".tanh()", "", "the tanh is missing"),
            Wrong(".tanh()", ".sigmoid()", "a sigmoid stands where tanh is wanted"),
            Wrong(".masked_fill(~is_new.unsqueeze(-1), 1.0)", "", "every token is gated"),
            Wrong(".masked_fill(~is_new", ".masked_fill(is_new", "known tokens are gated"),
            Wrong("if self.stage == 1:", "if False:", "in stage 1"),
            Wrong(
                'values, "batch time (heads d_head) -> batch time heads d_head"',
                'values, "batch time (d_head heads) -> batch time heads d_head"',
                "value: the output",
            ),
        ),
    ),
]
