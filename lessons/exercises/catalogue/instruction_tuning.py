"""Lesson 30: instruction tuning."""

from lessons.exercises.exercise import Exercise, Wrong

SHIFT = "before[:, :-1] = learnt[:, 1:]"

EXERCISES = [
    Exercise(
        name="learnt_tokens",
        title="The loss is taken on the answer alone",
        topic="training",
        lesson=30,
        module="transformer.learning.texts",
        targets=("text_batch",),
        difficulty=3,
        minutes=25,
        after=("collate",),
        harmless=(  # a text with a learnt token has two tokens at least
            "documents = torch.stack([filled(row, source.shape[1], row[(-2)] + 1) for row in numbers])",
            "documents = torch.stack([filled(row, source.shape[1], row[-(2)] + 1) for row in numbers])",
        ),
        hints=(
            "A token is predicted at the place before it. Which places does the loss need, and which tokens are right there?",
            "`pad` makes the matrix of ids, `filled` a row of marks: fill `learnt` up with False, and the numbers of the texts "
            "with one more than the last.",
            "before[:, t] = learnt[:, t + 1]; the labels are source[learnt] with an axis of 1 in front.",
        ),
        wrong=(
            Wrong(SHIFT, "before = learnt", "the learnt tokens themselves"),
            Wrong(SHIFT, "before[:, 1:] = learnt[:, :-1]", "the places after the learnt tokens"),
            Wrong(SHIFT, "before[:, :-1] = True", "every place"),
            Wrong("source[learnt][None]", "source[before][None]", "the tokens before the learnt ones"),
            Wrong("source[learnt][None]", "source[learnt]", "shape"),
            Wrong(".bool()", ".bool() & (source != pad_id)", "a learnt token with the padding's id is left out"),
            Wrong("row[-1] + 1", "row[-1]", "padding belongs to the last text"),
            Wrong("if any(len(row) > 1 for row in rows):", "if True:", "None"),
        ),
    ),
]
