"""Lesson 6: feed forward and the encoder."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
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
        forbidden=("CausalLayer", "TransformerEncoderLayer"),
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
]
