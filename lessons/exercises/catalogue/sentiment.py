"""Lesson 28: an encoder that knows English."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="mean_pool",
        title="One vector for a sentence",
        topic="pooling",
        lesson=28,
        module="transformer.pooling",
        targets=("mean_pool",),
        difficulty=1,
        minutes=10,
        hints=(
            "A batch is as long as its longest sentence. Try the mean over all places: the vector of a short sentence then "
            "changes with its neighbours.",
            "Two sums over the tokens, both of the real ones only: that of the vectors, and that of the ones in the mask.",
            "states.masked_fill(~real[:, :, None], 0.0) also removes a NaN; 0 · NaN would still be NaN. real.sum(dim=1, "
            "keepdim=True) is the number in each row; where it is 0, raise a ValueError.",
        ),
        wrong=(
            Wrong(
                "states.masked_fill(~real[:, :, None], 0.0).sum(dim=1) / counts",
                "states.mean(dim=1)",
                "the mean of all places",
            ),
            Wrong(".sum(dim=1) / counts", ".mean(dim=1)", "divided by the length of the row"),
            Wrong(".sum(dim=1) / counts", ".sum(dim=1)", "lacks its division"),
            Wrong("states.masked_fill(~real[:, :, None], 0.0)", "states", "padding is in the sum"),
            Wrong(
                "states.masked_fill(~real[:, :, None], 0.0)",
                "(states * real[:, :, None])",
                "where padding holds NaN",
            ),
            Wrong("/ counts", "/ counts.sum()", "each row has its own"),
            Wrong(
                "states.masked_fill(~real[:, :, None], 0.0).sum(dim=1) / counts",
                "states[:, 0]",
                "the first token's vector",
            ),
            Wrong("if (counts == 0).any():", "if False:", "refused"),
        ),
    ),
]
