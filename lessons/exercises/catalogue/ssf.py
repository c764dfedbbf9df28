"""Lesson 22: SSF."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="ssf",
        title="Scale and shift after every operation",
        topic="sub_layers",
        lesson=22,
        module="peft.ssf",
        targets=("scale_and_shift", "ScaledShifted.forward", "ScaledShifted.merged"),
        difficulty=2,
        minutes=25,
        hints=(
            "γ ⊙ y + β: first the scale, then the shift. forward does that to what the base gives.",
            "merged, for a linear layer: diag(γ) W, and a bias γ ⊙ b + β (just β where the base has none).",
            "rewritten(self.base, self.ssf_scale[:, None] * weight_of(self.base), bias). For a norm, norm_like(self.base, γ ⊙ g, bias) "
            "is one with these numbers.",
        ),
        wrong=(
            Wrong("scale * y + shift", "scale * (y + shift)", "the shift is scaled too"),
            Wrong("scale * y + shift", "scale * y", "the shift is missing"),
            Wrong("scale * y + shift", "y + shift", "the scale is missing"),
            Wrong(
                "shift if self.base.bias is None else scale_and_shift(self.base.bias, self.ssf_scale, shift)",
                "shift + (0 if self.base.bias is None else self.base.bias)",
                "the old bias is not scaled",
            ),
            Wrong(
                "self.ssf_scale[:, None] * weight_of(self.base)",
                "self.ssf_scale * weight_of(self.base).T",
                "RuntimeError",
            ),
            Wrong(
                "self.ssf_scale * self.base.weight, bias",
                "self.base.weight, bias",
                "what the merged operation computes",
            ),
        ),
    ),
]
