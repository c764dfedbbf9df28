"""Lesson 7: masks, the decoder, cross-attention."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="padding_mask",
        title="Nobody attends to padding",
        topic="layers",
        lesson=7,
        module="transformer.masks",
        targets=("padding_mask",),
        difficulty=1,
        minutes=5,
        hints=(
            "A token is real where its id is not the padding id.",
            "The result broadcasts to (batch, heads, query, key): the time of the ids is the last axis, and two axes of length 1 "
            "stand before it. Indexing with None makes such an axis.",
        ),
        wrong=(
            Wrong("ids != pad_id", "ids == pad_id", "the other way round"),
            Wrong("[:, None, None, :]", "[:, None, :, None]", "shape: the mask: another shape is expected"),
            Wrong("[:, None, None, :]", "[:, None, :]", "one axis is missing"),
            Wrong("ids != pad_id", "ids > pad_id", "ids above the padding id"),
            Wrong("ids != pad_id", "ids != 0", "whatever was given"),
            Wrong("(ids != pad_id)", "(ids != pad_id).float()", "dtype: the mask is torch.float32, not torch.bool"),
        ),
    ),
    Exercise(
        name="causal_mask",
        title="Nobody looks ahead",
        topic="layers",
        lesson=7,
        module="transformer.masks",
        targets=("causal_mask",),
        difficulty=2,
        minutes=10,
        hints=(
            "A lower triangle: query i may attend to the keys 0..i. torch.tril keeps the lower triangle of a matrix.",
            "With `past` keys in front of the first query the matrix is (length, past + length), and the triangle moves right: "
            "tril(diagonal=past). Impossible sizes raise ValueError with the numbers.",
        ),
        forbidden=("generate_square_subsequent_mask",),
        wrong=(
            Wrong(".tril(diagonal=past)", ".triu(diagonal=past)", "it is transposed"),
            Wrong(".tril(diagonal=past)", ".tril(diagonal=past - 1)", "a query does not see itself"),
            Wrong(".tril(diagonal=past)", ".tril(diagonal=past + 1)", "sees one position of the future"),
            Wrong(".tril(diagonal=past)", ".tril()", "`past` is not looked at"),
            Wrong("past + length, dtype", "length, dtype", "shape: the mask: another shape is expected"),
            Wrong(", device=device)", ")", "on the device that was asked for"),
            Wrong(".tril(diagonal=past)", "", "everybody sees everything"),
        ),
    ),
    Exercise(
        name="decoder_layer",
        title="Look back, look across, think",
        topic="layers",
        lesson=7,
        module="transformer.decoder",
        targets=("DecoderLayer.forward",),
        difficulty=3,
        minutes=20,
        after=("encoder_layer", "padding_mask", "causal_mask"),
        hints=(
            "Three boxes, each inside its Add & Norm: self-attention, cross-attention, feed forward.",
            "In the cross-attention the queries come from x, keys and values from the memory. Each attention has its own mask.",
            "The cache is a pair: its first part goes to the self-attention, its second to the cross-attention; without a cache "
            "both are None. own, across = cache or (None, None)",
        ),
        forbidden=("TransformerDecoderLayer",),
        wrong=(
            Wrong(
                "self.cross_attention(x, memory, memory, memory_mask, across)",
                "self.cross_attention(x, x, x, mask, across)",
                "value: the output",
            ),
            Wrong(
                "memory, memory, memory_mask, across", "memory, memory, None, across", "the memory's mask is not used"
            ),
            Wrong(
                "self.self_attention(x, x, x, mask, own)",
                "self.self_attention(x, x, x, None, own)",
                "the causal mask is not used",
            ),
            Wrong(
                "x = self.cross_attention_norm(x, lambda x: self.cross_attention(x, memory, memory, memory_mask, across))\n        ",
                "",
                "the cross-attention is missing",
            ),
            Wrong("self.feed_forward_norm(x, self.feed_forward)", "x", "the feed forward is missing"),
            Wrong("x, x, mask, own)", "x, x, mask)", "the self-attention is given the first part of the cache"),
            Wrong("memory_mask, across)", "memory_mask)", "the cross-attention is given the second part of the cache"),
        ),
    ),
]
