"""Lesson 12: BitFit and LayerNorm tuning."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="bitfit",
        title="BitFit: only the biases",
        topic="place_five",
        lesson=12,
        module="peft.bitfit",
        targets=("BitFitConfig.place",),
        difficulty=1,
        minutes=10,
        after=("full",),
        hints=(
            "Like full fine-tuning, but only the parameters whose name ends with .bias.",
            "parameters_of(model) gives the names; self.covers(name) keeps to the sites. No bias at all is a ValueError.",
        ),
        wrong=(
            Wrong('name.endswith(".bias") and ', "", "is no bias"),
            Wrong(" and self.covers(name)", "", "is outside of the site"),
            Wrong('name.endswith(".bias")', 'name.endswith("norm.bias")', "not trained"),
            Wrong("if not biases:", "if False:", "a base without biases is refused"),
        ),
    ),
    Exercise(
        name="ln_tuning",
        title="LayerNorm tuning: gains and biases of the norms",
        topic="place_five",
        lesson=12,
        module="peft.ln_tuning",
        targets=("LNTuningConfig.place", "LNTuningConfig.norms"),
        difficulty=2,
        minutes=15,
        after=("bitfit",),
        hints=(
            "norms: all modules of base_modules(model) that are a LayerNorm or an RMSNorm, by path; `chosen` (targets.py) picks those wanted.",
            'target_modules None means all of them. chosen(self, every, wanted, self.exclude_modules, "LayerNorm").',
            "place: path.name of each parameter of each norm, as the Placement's parameters (an RMSNorm has no bias).",
        ),
        wrong=(
            Wrong("for name, _ in norm.named_parameters()", 'for name in ("weight",)', "missing or too many"),
            Wrong(
                "tuple(every) if self.target_modules is None else self.target_modules",
                "tuple(every)",
                "target_modules chose",
            ),
            Wrong('self.exclude_modules, "LayerNorm")', '(), "LayerNorm")', "exclude_modules is not looked at"),
            Wrong(
                "isinstance(module, LayerNorm | RMSNorm)",
                'path.endswith("attention_norm.norm")',
                "norms that are missing or too many",
            ),
        ),
    ),
]
