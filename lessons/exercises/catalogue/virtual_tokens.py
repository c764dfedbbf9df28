"""Lessons 18 to 21: vectors that stand in front of the words, at the input or in every attention."""

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
    Exercise(
        name="prefix_tuning",
        title="Keys and values in front of the real ones",
        topic="virtual_tokens",
        lesson=20,
        module="peft.prefix_tuning",
        targets=("before", "PrefixAttend.forward"),
        difficulty=4,
        minutes=35,
        after=("multi_head_attention", "prompt_tuning"),
        hints=(
            "self.rows() is [P_K, P_V], (prompt, 2 · d_model). Cut it in two and each half into heads, for every row of the batch.",
            'rearrange(rows, "prompt (two heads d_head) -> two 1 heads prompt d_head", two=2, heads=...); `before` expands over the batch.',
            "The mask gets p True columns in front. It may be broadcast along the keys: expand its last axis to the number of real "
            "keys first, then F.pad(mask, (p, 0), value=True). Then self.base(query, [P_K; keys], [P_V; values], mask).",
        ),
        wrong=(
            Wrong(
                "before(prefix_key, key), before(prefix_value, value)",
                "before(prefix_value, key), before(prefix_key, value)",
                "the two halves have changed places",
            ),
            Wrong("(two heads d_head)", "(two d_head heads)", "where it takes a block"),
            Wrong("value=True)", "value=False)", "value: the output"),
            Wrong("(prefix_key.shape[2], 0)", "(0, prefix_key.shape[2])", "value: the output"),
            Wrong(
                "every_key = mask.expand(*mask.shape[:-1], key.shape[2])",
                "every_key = mask",
                "what must hold: a mask of any shape",
            ),
            Wrong(
                "before(prefix_key, key), before(prefix_value, value), mask",
                "key, value, mask",
                "what must hold",
            ),
            Wrong("self.rows(),", "self.rows().detach(),", "what must hold: gradients reach the prefix"),
        ),
    ),
    Exercise(
        name="prefix_network",
        title="The network behind a prefix",
        topic="virtual_tokens",
        lesson=20,
        module="peft.prefix_tuning",
        targets=("PrefixTrunk.forward", "PrefixAttend.rows"),
        difficulty=1,
        minutes=10,
        after=("prefix_tuning",),
        hints=(
            "The trunk: tanh of a linear layer of the embedding. It is shared by the layers of one kind of attention.",
            "rows: self.last on the trunk's output, or self.prefix where there is no network (self.last is None).",
        ),
        wrong=(
            Wrong(".tanh()", "", "the tanh is missing"),
            Wrong(
                "self.hidden(self.embedding).tanh()",
                "self.hidden(self.embedding.tanh())",
                "the tanh falls on the embedding itself",
            ),
            Wrong(
                "self.prefix if self.last is None else self.last(self.trunk())",
                "self.prefix",
                "kind: [P_K, P_V] is a NoneType",
            ),
            Wrong("self.last(self.trunk())", "self.last(self.trunk().detach())", "no gradient reaches trunk.embedding"),
        ),
    ),
    Exercise(
        name="p_tuning_v2",
        title="Dropping the network: free keys and values",
        topic="virtual_tokens",
        lesson=21,
        module="peft.prefix_tuning",
        targets=("PrefixAttend.saved", "PrefixAttend.load", "PrefixAttend.drop_encoder"),
        difficulty=2,
        minutes=20,
        after=("prefix_network",),
        hints=(
            "Prefix tuning after training and P-Tuning v2 are one thing: a parameter [P_K, P_V] in each attention, no network.",
            'saved: {"prefix": self.rows(), detached}. load: what was saved has no network, so drop it before loading.',
            "drop_encoder: only where self.last is not None. self.prefix becomes a parameter of what was saved, trained if the "
            "network was; self.trunk and self.last become None.",
        ),
        wrong=(
            Wrong('"prefix": self', '"rows": self', "saved under the name prefix"),
            Wrong(
                '{"prefix": self.rows().detach()}',
                '{"prefix": self.rows().detach(), "trunk": self.rows().detach()}',
                "saved under the name prefix and nothing else",
            ),
            Wrong("self.trunk = self.last = None", "self.last = None", "the trunk is gone"),
            Wrong(", self.last.weight.requires_grad)", ")", "trained if the network was"),
            Wrong("self.drop_encoder()\n        super().load(tensors)", "super().load(tensors)", "what must hold"),
            Wrong("if self.last is not None:", "if True:", "AttributeError"),
        ),
    ),
]
