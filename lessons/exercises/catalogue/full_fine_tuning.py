"""Lesson 11: full fine-tuning."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="owned_parameters",
        title="A copy that can be put in and taken out again",
        topic="place_five",
        lesson=11,
        module="peft.frame.owned",
        targets=("OwnedParameters.enable", "OwnedParameters.disable", "OwnedParameters.put", "OwnedParameters.load"),
        difficulty=2,
        minutes=20,
        hints=(
            "self.copies and self.originals are lists of tensors, self.holders says for each which modules hold it.",
            "put(tensors): for each tensor and each of its holders (module, name), setattr. A tied tensor has several holders.",
            "enable puts the copies, disable the originals. load writes into the copies' numbers, under torch.no_grad().",
        ),
        wrong=(
            Wrong("self.put(self.copies)", "self.put(self.originals)", "the copy does not stand in the module"),
            Wrong("self.put(self.originals)", "pass", "is not the base's own tensor"),
            Wrong(
                "for module, name in holders:", "for module, name in holders[:1]:", "the tied matrix is not put into"
            ),
            Wrong(
                "setattr(module, name, tensor)",
                "getattr(module, name).data.copy_(tensor)",
                "the copy does not stand in the module",
            ),
            Wrong("parameter.copy_(tensors[name])", "pass", "load does not fill every copy"),
        ),
    ),
    Exercise(
        name="full",
        title="Full fine-tuning: every parameter",
        topic="place_five",
        lesson=11,
        module="peft.full",
        targets=("FullConfig.place",),
        difficulty=1,
        minutes=10,
        after=("owned_parameters",),
        hints=(
            "A Placement(parameters=...) names the base's parameters that the adapter owns a copy of.",
            "parameters_of(model) gives (name, tensor, module, attribute) of each; self.covers(name) says whether the sites allow it.",
        ),
        wrong=(
            Wrong(" if self.covers(name)", "", "is outside of the site cross"),
            Wrong("if self.covers(name)", 'if self.covers(name) and name.endswith("weight")', "not trained"),
            Wrong("if self.covers(name)", 'if self.covers(name) and "embedding" not in name', "not trained"),
            Wrong(
                "for name, _, _, _ in parameters_of(model)",
                "for name, _ in model.named_parameters()",
                "a tied matrix is named at every place",
            ),
        ),
    ),
]
