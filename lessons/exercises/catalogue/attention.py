"""Lesson 3: attention."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="scaled_dot_product_attention",
        title="A query takes a weighted mean of the values",
        topic="attention",
        lesson=3,
        module="transformer.attention",
        targets=("scaled_dot_product_attention",),
        difficulty=2,
        minutes=20,
        hints=(
            "Three lines: how well does every query match every key, what weights come of it, what mean of the values.",
            "scores = query @ keyᵀ / √d_head has the shape (..., query, key). The softmax runs over the last axis: the keys.",
            "Masked: before the softmax give the forbidden scores the lowest finite number of their type "
            "(torch.finfo(scores.dtype).min), and after it set their weights to 0: then a query that may attend to nothing "
            "has weights of 0, not NaN. Both are masked_fill(~mask, ...). Dropout falls on the weights.",
        ),
        forbidden=(
            "fused_attention",
            "FusedAttend",
            "scaled_dot_product_attention",
            "multi_head_attention_forward",
            "MultiheadAttention",
        ),
        wrong=(
            Wrong(" / math.sqrt(query.shape[-1])", "", "the scores are not divided by √d_head"),
            Wrong("math.sqrt(query.shape[-1])", "query.shape[-1]", "divided by d_head, not by its root"),
            Wrong(
                "weights = scores.softmax(dim=-1)\n    else",
                "weights = scores.softmax(dim=-2)\n    else",
                "the weights of a query sum to 1 over the keys",
            ),
            Wrong(
                "masked_fill(~mask, torch.finfo(scores.dtype).min)\n        weights = scores.softmax(dim=-1).masked_fill(~mask",
                "masked_fill(mask, torch.finfo(scores.dtype).min)\n        weights = scores.softmax(dim=-1).masked_fill(mask",
                "read the other way round",
            ),
            Wrong(".masked_fill(~mask, 0.0)", "", "gets equal weights, where 0 is expected"),
            Wrong("scores.masked_fill(~mask, torch.finfo(scores.dtype).min)", "scores", "no longer sums to 1"),
            Wrong(
                "scores = scores.masked_fill(~mask,",
                "scores = scores.detach().masked_fill(~mask,",
                "no gradient reaches query",
            ),
            Wrong(
                "torch.finfo(scores.dtype).min)\n        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)",
                "float('-inf'))\n        weights = scores.softmax(dim=-1)",
                "NaN at batch 0, head 0, query 2",
            ),
        ),
    ),
]
