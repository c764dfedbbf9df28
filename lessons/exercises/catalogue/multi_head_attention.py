"""Lesson 4: several attentions side by side."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="split_heads",
        title="Features become heads",
        topic="attention",
        lesson=4,
        module="transformer.attention",
        targets=("MultiHeadAttention.split_heads",),
        difficulty=1,
        minutes=5,
        hints=(
            "The last axis, d_model, is heads · d_head long: cut it in two and move the heads in front of the time.",
            'einops: rearrange(x, "batch time (heads d_head) -> ...", d_head=self.d_head). In (heads d_head) the heads '
            "change slowly: head 0 is the first block of features.",
        ),
        wrong=(
            Wrong('"batch time (heads d_head) ->', '"batch time (d_head heads) ->', "takes a block of neighbours"),
            Wrong(
                "-> batch heads time d_head",
                "-> batch time heads d_head",
                "shape: the output: another shape is expected",
            ),
            Wrong(
                "-> batch heads time d_head",
                "-> heads batch time d_head",
                "shape: the output: another shape is expected",
            ),
            Wrong(
                'rearrange(x, "batch time (heads d_head) -> batch heads time d_head", d_head=self.d_head)',
                "x.reshape(x.shape[0], self.num_heads, x.shape[1], -1)",
                "time and heads are mixed",
            ),
        ),
    ),
    Exercise(
        name="multi_head_attention",
        title="Several attentions side by side",
        topic="attention",
        lesson=4,
        module="transformer.attention",
        targets=("MultiHeadAttention.forward", "MultiHeadAttention.keys_and_values"),
        difficulty=3,
        minutes=25,
        after=("scaled_dot_product_attention", "split_heads"),
        hints=(
            "Four steps: project query, key and value, split each into heads, self.attend, merge the heads and project again.",
            "In keys_and_values, keys and values are made by a function without arguments, project(). Without a cache call it; "
            "with one, the cache calls it when it must: cache.keys_and_values(project). In forward a mask is checked with "
            "check_mask before use. Once split, queries pass q_norm and keys k_norm, then both pass rotate; the paper's model "
            "has none of these, and they give back what they get.",
            'rearrange(heads, "batch heads query d_head -> batch query (heads d_head)") undoes split_heads. Then out_proj.',
        ),
        forbidden=("multi_head_attention_forward", "MultiheadAttention"),
        wrong=(
            Wrong(
                'self.out_proj(rearrange(heads, "batch heads query d_head -> batch query (heads d_head)"))',
                'rearrange(heads, "batch heads query d_head -> batch query (heads d_head)")',
                "the output projection out_proj is missing",
            ),
            Wrong(
                "self.split_heads(self.k_proj(key)))), self.split_heads(self.v_proj(value))",
                "self.split_heads(self.v_proj(key)))), self.split_heads(self.k_proj(value))",
                "keys and values have changed their projections",
            ),
            Wrong("self.v_proj(value)", "self.k_proj(value)", "the values are made by k_proj"),
            Wrong(
                "self.split_heads(self.v_proj(value))",
                "rotate(self.split_heads(self.v_proj(value)))",
                "the values are turned too",
            ),
            Wrong(
                "rotate(self.k_norm(self.split_heads(self.k_proj(key))))",
                "self.k_norm(self.split_heads(self.k_proj(key)))",
                "the keys are not turned",
            ),
            Wrong("rotate(self.q_norm(", "self.q_norm(rotate(", "the norms come behind `rotate`"),
            Wrong(
                "query.shape[1], keys.shape[2])", "query.shape[1], key.shape[1])", "with a cache a mask is as long as"
            ),
            Wrong("(heads d_head)", "(d_head heads)", "the heads are merged in turns"),
            Wrong("keys, values, mask)", "keys, values)", "the mask is not handed on"),
            Wrong(
                "project() if cache is None else cache.keys_and_values(project)", "project()", "one position at a time"
            ),
            Wrong("self.attend(queries", "scaled_dot_product_attention(queries", "<class 'tuple'>"),
        ),
    ),
]
