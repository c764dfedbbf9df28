"""Lesson 20: prefix tuning."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="prefix_tuning",
        title="Keys and values in front of the real ones",
        topic="virtual_tokens",
        lesson=20,
        module="peft.prefix_tuning",
        targets=("before", "PrefixAttend.forward"),
        difficulty=4,
        minutes=35,
        after=("multi_head_attention", "prompt_tuning"),
        hints=(
            "self.rows() is [P_K, P_V], (prompt, 2 · d_model). Cut it in two and each half into heads, for every row of the batch.",
            'rearrange(rows, "prompt (two heads d_head) -> two 1 heads prompt d_head", two=2, heads=...); `before` expands over the batch.',
            "The mask gets p True columns in front. It may be broadcast along the keys: expand its last axis to the number of real "
            "keys first, then F.pad(mask, (p, 0), value=True). Then self.base(query, [P_K; keys], [P_V; values], mask).",
        ),
        wrong=(
            Wrong(
                "before(prefix_key, key), before(prefix_value, value)",
                "before(prefix_value, key), before(prefix_key, value)",
                "the two halves have changed places",
            ),
            Wrong("(two heads d_head)", "(two d_head heads)", "where it takes a block"),
            Wrong("value=True)", "value=False)", "value: the output"),
            Wrong("(prefix_key.shape[2], 0)", "(0, prefix_key.shape[2])", "value: the output"),
            Wrong(
                "every_key = mask.expand(*mask.shape[:-1], key.shape[2])",
                "every_key = mask",
                "what must hold: a mask of any shape",
            ),
            Wrong(
                "before(prefix_key, key), before(prefix_value, value), mask",
                "key, value, mask",
                "what must hold",
            ),
            Wrong("self.rows(),", "self.rows().detach(),", "what must hold: gradients reach the prefix"),
        ),
    ),
    Exercise(
        name="prefix_network",
        title="The network behind a prefix",
        topic="virtual_tokens",
        lesson=20,
        module="peft.prefix_tuning",
        targets=("PrefixTrunk.forward", "PrefixAttend.rows"),
        difficulty=1,
        minutes=10,
        after=("prefix_tuning",),
        hints=(
            "The trunk: tanh of a linear layer of the embedding. It is shared by the layers of one kind of attention.",
            "rows: self.last on the trunk's output, or self.prefix where there is no network (self.last is None).",
        ),
        wrong=(
            Wrong(".tanh()", "", "the tanh is missing"),
            Wrong(
                "self.hidden(self.embedding).tanh()",
                "self.hidden(self.embedding.tanh())",
                "the tanh falls on the embedding itself",
            ),
            Wrong(
                "self.prefix if self.last is None else self.last(self.trunk())",
                "self.prefix",
                "kind: [P_K, P_V] is a NoneType",
            ),
            Wrong("self.last(self.trunk())", "self.last(self.trunk().detach())", "no gradient reaches trunk.embedding"),
        ),
    ),
]
