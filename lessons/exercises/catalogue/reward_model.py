"""Lesson 24: a reward model, and what else a response is judged by."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="preference_loss",
        title="The reward model's loss",
        topic="preferences",
        lesson=24,
        module="rlhf.reward_model",
        targets=("preference_loss",),
        difficulty=1,
        minutes=10,
        hints=(
            "The model of paired comparisons: P(chosen ≻ rejected) = σ(r_chosen - r_rejected). The loss is minus its logarithm.",
            "F.logsigmoid(chosen - rejected), the mean over the batch, with a minus. log(sigmoid(x)) would overflow.",
        ),
        forbidden=("dpo_loss",),
        wrong=(
            Wrong("chosen - rejected", "rejected - chosen", "have changed places"),
            Wrong(".mean()", ".sum()", "where the mean is wanted"),
            Wrong("-F.logsigmoid(chosen - rejected)", "-(chosen - rejected)", "the sigmoid is missing"),
            Wrong("-F.logsigmoid(chosen - rejected)", "-torch.sigmoid(chosen - rejected)", "the logarithm is missing"),
            Wrong(
                "-F.logsigmoid(chosen - rejected).mean()",
                "-torch.sigmoid(chosen - rejected).mean().log()",
                "the logarithm of the mean",
            ),
            Wrong("F.logsigmoid(chosen - rejected)", "torch.sigmoid(chosen - rejected).log()", "finite: the loss"),
        ),
    ),
    Exercise(
        name="response_mask",
        title="Where a response ends",
        topic="preferences",
        lesson=24,
        module="rlhf.responses",
        targets=("response_mask",),
        difficulty=2,
        minutes=10,
        hints=(
            "True up to the first EOS and on it. Count the ends from the left: cumsum.",
            "A token is real if no end stands *before* it: the number of ends so far, minus one if it is an end itself, is 0.",
            "With `pad_id` the padding behind is left out too, unless it is the EOS itself: then the first one is the end.",
        ),
        wrong=(
            Wrong("pad_id is None or pad_id == eos_id", "pad_id is None", "the end is taken for padding"),
            Wrong(
                "((responses == eos_id).cumsum(dim=1) - (responses == eos_id).long()) == 0",
                "(responses == eos_id).cumsum(dim=1) == 0",
                "the end itself is left out",
            ),
            Wrong(
                "((responses == eos_id).cumsum(dim=1) - (responses == eos_id).long()) == 0",
                "((responses == eos_id).cumsum(dim=1) - (responses == eos_id).long()) != 0",
                "the other way round",
            ),
            Wrong(
                "((responses == eos_id).cumsum(dim=1) - (responses == eos_id).long()) == 0",
                "(responses == eos_id).cumsum(dim=1) <= 1",
                "value: the mask",
            ),
            Wrong(
                "((responses == eos_id).cumsum(dim=1) - (responses == eos_id).long()) == 0",
                "responses != 0",
                "only padding is left out",
            ),
        ),
    ),
    Exercise(
        name="token_log_probs",
        title="What the policy thinks of each token",
        topic="preferences",
        lesson=24,
        module="rlhf.responses",
        targets=("token_log_probs",),
        difficulty=1,
        minutes=10,
        hints=(
            "log softmax of the logits divided by the temperature, and of it the entry of the token that was said.",
            "gather(-1, responses.unsqueeze(-1)).squeeze(-1). Half-precision logits are read in float32 first.",
        ),
        wrong=(
            Wrong("scaled / temperature", "scaled", "the temperature is not used"),
            Wrong("scaled / temperature", "scaled * temperature", "where it divides"),
            Wrong(".log_softmax(dim=-1)", "", "the logits are not normalized"),
            Wrong(".log_softmax(dim=-1)", ".softmax(dim=-1)", "not their logarithms"),
            Wrong(".log_softmax(dim=-1)", ".log_softmax(dim=1)", "the softmax runs over the time"),
            Wrong(".gather(-1, responses.unsqueeze(-1)).squeeze(-1)", ".amax(dim=-1)", "the best token is scored"),
        ),
    ),
]
