"""Lesson 18: prompt tuning."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="prompt_tuning",
        title="Learned vectors in front of the words",
        topic="virtual_tokens",
        lesson=18,
        module="peft.prompt_tuning",
        targets=("in_front", "PromptInput.forward"),
        difficulty=2,
        minutes=20,
        after=("embed_source",),
        hints=(
            "Every row of the batch gets the same prompt: repeat it and put it in front with torch.cat along the time.",
            "The mask grows by as many True columns, in front: everybody sees the prompt. F.pad pads the last axis.",
            "F.pad(mask, (prompt.shape[0], 0), value=True). PromptInput.forward does this to what self.base(x, mask) gives.",
        ),
        wrong=(
            Wrong("torch.cat([rows, x], dim=1)", "torch.cat([x, rows], dim=1)", "the prompt stands behind the words"),
            Wrong("value=True)", "value=False)", "the prompt is masked out"),
            Wrong("(prompt.shape[0], 0)", "(0, prompt.shape[0])", "the True columns stand behind"),
            Wrong("*self.base(x, mask)", "x, mask", "the base here doubles its input"),
            Wrong(
                "F.pad(mask, (prompt.shape[0], 0), value=True)", "mask", "shape: the mask: another shape is expected"
            ),
            Wrong("repeat(prompt,", "repeat(prompt.detach(),", "does not require grad"),
        ),
    ),
    Exercise(
        name="prompt_start",
        title="Where a prompt starts",
        topic="virtual_tokens",
        lesson=18,
        module="peft.prompt_tuning",
        targets=("PromptTuningConfig.start",),
        difficulty=2,
        minutes=20,
        after=("prompt_tuning",),
        hints=(
            "RANDOM: normal numbers. SAMPLE_VOCAB: rows of random tokens. TEXT: rows of given tokens, repeated or cut to length.",
            "A prompt stands behind the scaling by √d, so rows from the vocabulary are multiplied by model.embedding_scale.",
            'text[torch.arange(p) % len(text)] repeats or cuts. dict(base_modules(model))["source_embedding"].weight is the '
            "matrix. Ids outside of the vocabulary are a ValueError.",
        ),
        wrong=(
            Wrong("model.embedding_scale * ", "", "√d_model times too small"),
            Wrong(
                "text[torch.arange(self.num_virtual_tokens) % len(text)]",
                "text.repeat_interleave(self.num_virtual_tokens)[: self.num_virtual_tokens]",
                "value: the output",
            ),
            Wrong("% len(text)", "// len(text)", "IndexError"),
            Wrong(
                "torch.randint(len(embeddings), (self.num_virtual_tokens,))",
                "torch.arange(self.num_virtual_tokens)",
                "the rows are drawn at random",
            ),
            Wrong(
                "text.min() < 0 or text.max() >= len(embeddings)",
                "False",
                "a token outside of the vocabulary is refused",
            ),
            Wrong("torch.randn(self", "torch.zeros(self", "the deviation is 1"),
        ),
    ),
]
