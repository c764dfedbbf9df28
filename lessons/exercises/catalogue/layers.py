"""Lessons 5, 6 and 7: norms, feed forward, masks, and the layers that are made of them."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="layer_norm",
        title="Every vector to mean 0 and variance 1",
        topic="layers",
        lesson=5,
        module="transformer.add_norm",
        targets=("LayerNorm.forward",),
        difficulty=2,
        minutes=15,
        hints=(
            "Mean and variance are taken over the last axis, one of each for every vector; keepdim=True lets them broadcast.",
            "The variance is the mean of the squared deviations: divided by d_model, not by d_model - 1 (torch's default).",
            "weight · (x - mean) / √(variance + eps) + bias, with ε under the root.",
        ),
        wrong=(
            Wrong(
                "centered.square().mean(dim=-1, keepdim=True)", "x.var(dim=-1, keepdim=True)", "divided by d_model - 1"
            ),
            Wrong("torch.rsqrt(variance + self.eps)", "1 / (variance.sqrt() + self.eps)", "outside the root"),
            Wrong("torch.rsqrt(variance + self.eps)", "1 / (variance + self.eps)", "by the variance, not by its root"),
            Wrong("torch.rsqrt(variance + self.eps)", "torch.rsqrt(variance)", "ε is missing"),
            Wrong("centered * torch", "x * torch", "the mean is not subtracted"),
            Wrong("self.weight * (centered", "1 * (centered", "the gain `weight` is missing"),
            Wrong(" + self.bias", "", "the bias is missing"),
            Wrong(
                "centered = x - x.mean(dim=-1, keepdim=True)",
                "centered = x.sub_(x.mean(dim=-1, keepdim=True))",
                "x was changed in place",
            ),
        ),
    ),
    Exercise(
        name="add_norm",
        title="The residual connection, before or after the norm",
        topic="layers",
        lesson=5,
        module="transformer.add_norm",
        targets=("AddNorm.forward",),
        difficulty=2,
        minutes=10,
        after=("layer_norm",),
        hints=(
            "`sublayer` is a function: call it with what it should read. self.order says which of the two formulas is meant.",
            "Post-norm: the norm is the last thing that happens. Pre-norm: the sub-layer reads the norm of x; x itself goes past it.",
            "post: norm(x + dropout(sublayer(x)))      pre: x + dropout(sublayer(norm(x)))",
        ),
        wrong=(
            Wrong(
                "self.norm(x + self.dropout(sublayer(x)))",
                "self.norm(self.dropout(sublayer(x)))",
                "the residual is missing",
            ),
            Wrong(
                "self.norm(x + self.dropout(sublayer(x)))",
                "x + self.norm(self.dropout(sublayer(x)))",
                "the norm comes before the sum",
            ),
            Wrong('self.order == "pre"', "True", "that is pre-norm"),
            Wrong('self.order == "pre"', "False", "that is post-norm"),
            Wrong(
                "return x + self.dropout(sublayer(self.norm(x)))",
                "x = self.norm(x); return x + self.dropout(sublayer(x))",
                "the residual is taken after the norm",
            ),
            Wrong(
                "self.norm(x + self.dropout(sublayer(x)))",
                "self.norm(self.dropout(x + sublayer(x)))",
                "never on the residual",
            ),
        ),
    ),
    Exercise(
        name="feed_forward",
        title="Two matrices and a non-linearity",
        topic="layers",
        lesson=6,
        module="transformer.feed_forward",
        targets=("FeedForward.forward",),
        difficulty=1,
        minutes=5,
        hints=(
            "Two linear layers, self.fc1 and self.fc2, and something between them.",
            "ACTIVATIONS[self.activation] is φ, the non-linearity.",
        ),
        wrong=(
            Wrong("ACTIVATIONS[self.activation](self.fc1(x))", "self.fc1(x)", "the activation is missing"),
            Wrong(
                "self.fc2(ACTIVATIONS[self.activation](self.fc1(x)))",
                "ACTIVATIONS[self.activation](self.fc2(self.fc1(x)))",
                "behind the second layer",
            ),
            Wrong("self.fc2(ACTIVATIONS", "x + self.fc2(ACTIVATIONS", "the residual is the business of Add & Norm"),
            Wrong("ACTIVATIONS[self.activation]", "F.relu", "whatever was asked for"),
        ),
    ),
    Exercise(
        name="encoder_layer",
        title="Look around, then think",
        topic="layers",
        lesson=6,
        module="transformer.encoder",
        targets=("EncoderLayer.forward",),
        difficulty=2,
        minutes=10,
        after=("multi_head_attention", "add_norm", "feed_forward"),
        hints=(
            "Two lines, one for each box of the figure; each box stands inside its Add & Norm.",
            "self.self_attention_norm(x, f) wants a function f of one argument. An attention takes three and the mask: a lambda.",
            "self.self_attention_norm(x, lambda x: self.self_attention(x, x, x, mask)), then the same with the feed forward.",
        ),
        wrong=(
            Wrong("self.self_attention(x, x, x, mask)", "self.self_attention(x, x, x)", "the mask is not handed on"),
            Wrong("self.feed_forward_norm(x, self.feed_forward)", "x", "the feed forward is missing"),
            Wrong(
                "x = self.self_attention_norm(x, lambda x: self.self_attention(x, x, x, mask))\n        ",
                "",
                "the self-attention is missing",
            ),
            Wrong(
                "self.feed_forward_norm(x, self.feed_forward)",
                "self.self_attention_norm(x, self.feed_forward)",
                "value: the output",
            ),
            Wrong(
                "return self.feed_forward_norm(x, self.feed_forward)",
                "return self.feed_forward(x)",
                "value: the output",
            ),
            Wrong("self.self_attention(x, x, x, mask)", "self.self_attention(x, x, x, mask).detach()", "gradient"),
        ),
    ),
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
        wrong=(
            Wrong(".tril(diagonal=past)", ".triu(diagonal=past)", "it is transposed"),
            Wrong(".tril(diagonal=past)", ".tril(diagonal=past - 1)", "a query does not see itself"),
            Wrong(".tril(diagonal=past)", ".tril(diagonal=past + 1)", "sees one position of the future"),
            Wrong(".tril(diagonal=past)", ".tril()", "`past` is not looked at"),
            Wrong("past + length, dtype", "length, dtype", "shape: the mask: another shape is expected"),
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
