"""Lesson 2: input embedding and positions."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="sinusoidal_positional_encoding",
        title="Waves that say where a token stands",
        topic="embedding",
        lesson=2,
        module="transformer.embedding",
        targets=("sinusoidal_positional_encoding",),
        difficulty=2,
        minutes=15,
        hints=(
            "A table: rows are positions 0, 1, ..., columns are features. Columns 2i and 2i+1 share one frequency.",
            "angle[t, i] = t / 10000^(2i / d_model), for i = 0, 1, ... The even columns hold its sine, the odd ones its cosine.",
            "time = arange(length)[:, None], even = arange(0, d_model, 2); encoding[:, 0::2] = sin, encoding[:, 1::2] = cos. "
            "With an odd d_model there is one cosine less: cut the cosines to d_model // 2 columns. float64 until the end.",
        ),
        wrong=(
            Wrong("0::2] = angle.sin()", "0::2] = angle.cos()", "cos stands where sin is wanted"),
            Wrong("time / 10000 **", "time * 10000 **", "multiplied by 10000^(2i / d_model), where it is divided"),
            Wrong("torch.arange(length,", "torch.arange(1, length + 1,", "comes one place too early"),
            Wrong("[:, : d_model // 2]", "", "an odd d model ends with a sine"),
            Wrong("(even / d_model)", "(2 * even / d_model)", "value: the output"),
            Wrong(
                ".to(dtype or torch.get_default_dtype())", "", "dtype: the output is torch.float64, not torch.float32"
            ),
        ),
    ),
    Exercise(
        name="embed_source",
        title="From token ids to vectors and a mask",
        topic="embedding",
        lesson=2,
        module="transformer.token_model",
        targets=("TokenModel.embed_source",),
        difficulty=1,
        minutes=10,
        after=("padding_mask",),
        hints=(
            "Look the ids up in self.source_embedding; masks.py has the function that says which of them are real.",
            "embed_tokens(source, ...) multiplies the vectors by its last argument, self.embedding_scale. The positions are not "
            "added here.",
            "Both go through self.source_input(x, mask), which does nothing unless something is put in front of the words.",
        ),
        wrong=(
            Wrong("self.embedding_scale)", "1.0)", "√d_model times too small"),
            Wrong(
                "self.embedding_scale)",
                "self.embedding_scale) + self.source_positions(source.shape[1])",
                "they are added later",
            ),
            Wrong(
                "self.source_input(x, padding_mask(source, self.config.pad_id))",
                "x, padding_mask(source, self.config.pad_id)",
                "pass through self.source_input",
            ),
            Wrong(
                "padding_mask(source, self.config.pad_id)",
                "~padding_mask(source, self.config.pad_id)",
                "the mask is the other way round",
            ),
            Wrong("self.config.pad_id", "0", "the padding id is that of the config"),
            Wrong(
                "self.source_input(x, padding",
                "self.source_input(self.dropout(x), padding",
                "dropout falls on it already",
            ),
        ),
    ),
]
