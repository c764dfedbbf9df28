"""Lesson 19: P-Tuning."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="p_tuning",
        title="A prompt that comes out of a small network",
        topic="virtual_tokens",
        lesson=19,
        module="peft.p_tuning",
        targets=(
            "PromptEncoder.forward",
            "PromptEncoder.result",
            "EncodedPromptInput.prompt",
            "EncodedPromptInput.drop_encoder",
        ),
        difficulty=3,
        minutes=30,
        after=("prompt_tuning",),
        hints=(
            "forward: self.embedding through self.lstm, if there is one, then through self.head. An LSTM gives a pair; take the first.",
            "result: the same in evaluation mode (no dropout between the LSTM's layers), and back to the mode that it was in.",
            "prompt: what was kept, if the encoder is gone, else what the encoder makes. drop_encoder: keep self.encoder.result() "
            "as a parameter that is trained if the encoder was, and set self.encoder to None.",
        ),
        wrong=(
            Wrong("prompt: Tensor = self.head(hidden)", "prompt: Tensor = self.embedding", "the network is not used"),
            Wrong("self.lstm(self.embedding)[0]", "self.lstm(self.embedding)[1][0]", "what must hold"),
            Wrong("prompt = self.eval()()", "prompt = self()", "the kept prompt"),
            Wrong("self.train(training)", "self.eval()", "is in training mode afterwards"),
            Wrong("self.prompt_embeddings if self.encoder is None else self.encoder()", "self.encoder()", "TypeError"),
            Wrong("self.encoder = None", "pass", "the encoder is gone"),
            Wrong(
                "self.encoder.result(), self.encoder.embedding.requires_grad",
                "self.encoder.result()",
                "trained if the encoder was",
            ),
        ),
    ),
]
