"""Lesson 21: P-Tuning v2."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="p_tuning_v2",
        title="Dropping the network: free keys and values",
        topic="virtual_tokens",
        lesson=21,
        module="peft.prefix_tuning",
        targets=("PrefixAttend.saved", "PrefixAttend.load", "PrefixAttend.drop_encoder"),
        difficulty=2,
        minutes=20,
        after=("prefix_network",),
        hints=(
            "Prefix tuning after training and P-Tuning v2 are one thing: a parameter [P_K, P_V] in each attention, no network.",
            'saved: {"prefix": self.rows(), detached}. load: what was saved has no network, so drop it before loading.',
            "drop_encoder: only where self.last is not None. self.prefix becomes a parameter of what was saved, trained if the "
            "network was; self.trunk and self.last become None.",
        ),
        forbidden=("EncodedPromptInput",),
        wrong=(
            Wrong('"prefix": self', '"rows": self', "saved under the name prefix"),
            Wrong(
                '{"prefix": self.rows().detach()}',
                '{"prefix": self.rows().detach(), "trunk": self.rows().detach()}',
                "saved under the name prefix and nothing else",
            ),
            Wrong("self.trunk = self.last = None", "self.last = None", "the trunk is gone"),
            Wrong(", self.last.weight.requires_grad)", ")", "trained if the network was"),
            Wrong("self.drop_encoder()\n        super().load(tensors)", "super().load(tensors)", "what must hold"),
            Wrong("if self.last is not None:", "if True:", "AttributeError"),
        ),
    ),
]
