"""Lesson 10: greedy, sampled, with a cache, with beams."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="truncate",
        title="Top-k and top-p: only likely tokens",
        topic="decoding",
        lesson=10,
        module="transformer.decoding.sampling",
        targets=("truncate",),
        difficulty=3,
        minutes=25,
        hints=(
            "What is left out gets the logit -inf, so that the softmax gives it 0. First top-k, then top-p on what is left.",
            "top-k: the k-th best logit is a threshold; topk gives it. top-p: sort, sum up the probabilities, and find where the "
            "mass reaches p.",
            "A token stays if the mass *before* it is below p: cumsum - itself. So the best one always stays, and so does the one "
            "that carries the sum over p. scatter(-1, order, ordered) brings the sorted logits back to their places.",
        ),
        wrong=(
            Wrong(
                "probabilities.cumsum(dim=-1) - probabilities",
                "probabilities.cumsum(dim=-1)",
                "a row has no token left",
            ),
            Wrong("mass_before >= top_p", "mass_before < top_p", "value: "),
            Wrong("descending=True", "descending=False", "value: "),
            Wrong("logits < kth", "logits <= kth", "so many tokens are left in each row"),
            Wrong("torch.empty_like(logits).scatter(-1, order, ordered)", "ordered", "the logits"),
            Wrong("min(top_k, logits.shape[-1])", "top_k", "top k leaves the k best"),
            Wrong(
                "logits = logits.masked_fill(logits < kth",
                "logits = logits.masked_fill_(logits < kth",
                "logits was changed in place",
            ),
        ),
        harmless=(
            "if top_p is not None and (top_p <= 1.0):  # a rounded sum may reach 1 before the last token",
            "if top_p is not None and top_p < (2.0):  # a rounded sum may reach 1 before the last token",
        ),
    ),
    Exercise(
        name="sample",
        title="Drawing a token at a temperature",
        topic="decoding",
        lesson=10,
        module="transformer.decoding.sampling",
        targets=("sample",),
        difficulty=1,
        minutes=10,
        after=("truncate",),
        hints=(
            "Divide the logits by the temperature, cut them with `truncate`, make probabilities, draw.",
            "torch.multinomial(probabilities, 1, generator=generator) draws one column; the result is one number for each row.",
        ),
        wrong=(
            Wrong("logits / temperature", "logits * temperature", "the temperature multiplies"),
            Wrong("logits / temperature", "logits", "the temperature is not used"),
            Wrong(
                "torch.multinomial(probabilities, 1, generator=generator)[:, 0]",
                "probabilities.argmax(dim=-1)",
                "that is greedy decoding",
            ),
            Wrong("top_k, top_p)", "None, top_p)", "top_k is not used"),
            Wrong("top_k, top_p)", "top_k, None)", "top_p is not used, or measured before"),
            Wrong("1, generator=generator)", "1)", "is it handed on?"),
            Wrong("generator=generator)[:, 0]", "generator=generator)", "shape: one token for each row"),
            Wrong(
                "truncate(logits / temperature, top_k, top_p).softmax(dim=-1)",
                "(truncate(logits, top_k, top_p) / temperature).softmax(dim=-1)",
                "the temperature comes before top p",
            ),
        ),
        harmless=("return torch.multinomial(probabilities, (2), generator=generator)[:, 0]",),
    ),
    Exercise(
        name="key_value_cache",
        title="The past is projected once",
        topic="decoding",
        lesson=10,
        module="transformer.decoding.cache",
        targets=("GrowingCache.keys_and_values",),
        difficulty=3,
        minutes=20,
        after=("multi_head_attention",),
        hints=(
            "project() gives the keys and values of the new positions. They go behind those that are stored, and all are returned.",
            "At the first call make room for the whole capacity (self.room_for). Later calls write into it and move self.length on.",
            "store[:, :, start : self.length] = new, for keys and for values; return store[:, :, : self.length] of both.",
        ),
        wrong=(
            Wrong("store[:, :, start : self.length] = new", "store[:, :, : new.shape[2]] = new", "after call 2"),
            Wrong(
                "self.stored[0][:, :, : self.length], self.stored[1][:, :, : self.length]",
                "self.stored",
                "shape: the keys after call 1",
            ),
            Wrong(
                "self.stored[0][:, :, : self.length], self.stored[1][:, :, : self.length]",
                "keys, values",
                "shape: the keys after call 2",
            ),
            Wrong(
                "self.stored[0][:, :, : self.length], self.stored[1][:, :, : self.length]",
                "self.stored[1][:, :, : self.length], self.stored[0][:, :, : self.length]",
                "keys and values have changed places",
            ),
            Wrong("keys, values = project()", "keys, values = project() and project()", "two calls project twice"),
        ),
    ),
    Exercise(
        name="finished_beams",
        title="The best finished sequences",
        topic="decoding",
        lesson=10,
        module="transformer.decoding.beam",
        targets=("Finished.add", "Finished.can_improve"),
        difficulty=3,
        minutes=25,
        hints=(
            "The kept and the new ones together, and of these the best `beams`: torch.cat and topk along the beams.",
            "The kept tokens are shorter than the new ones: pad them behind with pad_id. `pick` gathers rows in topk's order.",
            "can_improve: the worst kept score is in the last column, because topk sorts. A free place has the score NEVER.",
        ),
        wrong=(
            Wrong(
                "self.tokens = pick(torch.cat([kept, tokens], dim=1), order)",
                "self.tokens = torch.cat([kept, tokens], dim=1)[:, :beams]",
                "value: the tokens",
            ),
            Wrong(
                "torch.cat([self.scores, scores], dim=1).topk(beams, dim=1)",
                "torch.cat([self.scores, scores], dim=1).topk(beams, dim=1, largest=False)",
                "value: the scores",
            ),
            Wrong("value=self.pad_id)", "value=7)", "value: the tokens"),
            Wrong(
                "(0, tokens.shape[2] - self.tokens.shape[2])",
                "(tokens.shape[2] - self.tokens.shape[2], 0)",
                "value: the tokens",
            ),
            Wrong("self.scores[:, -1]", "self.scores[:, 0]", "the worst kept score is -0.9"),
            Wrong("best_running > self", "best_running >= self", "which -0.9 does not beat"),
        ),
    ),
    Exercise(
        name="beam_search",
        title="Keep the best few prefixes, not only the best one",
        topic="decoding",
        lesson=10,
        module="transformer.decoding.beam",
        targets=("best_continuations", "beam_search"),
        difficulty=5,
        minutes=60,
        after=("finished_beams", "key_value_cache"),
        hints=(
            "Each step: log-probabilities of every continuation of every prefix, added to the prefix's score; of each source the "
            "2 · num_beams best. Those that end go to `Finished`, the num_beams best of the others run on.",
            "Flatten (beams, vocab) into one axis before topk; then best // vocab is the parent and best % vocab the token. At the "
            "start all prefixes of a source are equal: give all but the first the score NEVER.",
            "Only candidates among the num_beams best may finish, with score / length**length_penalty, where length counts the new "
            "tokens; at the last step every candidate ends. rows tells next_logits the row of the step before: source · beams + "
            "parent. A source stays open while Finished.can_improve says so of its best running prefix.",
        ),
        wrong=(
            Wrong("running[:, 0] = 0.0", "running[:] = 0.0", "value: source"),
            Wrong("scores / length**length_penalty, NEVER", "scores, NEVER", "length penalty 1.0"),
            Wrong(
                "rearrange(first_row + parents.gather(1, survivors)",
                "rearrange(parents.gather(1, survivors)",
                "a prefix continues a row of its own source",
            ),
            Wrong("counts[:, num_beams:] = False", "counts[:, num_beams:] = ended[:, num_beams:]", "value: source"),
            Wrong("| (length == max_new_tokens)", "| (length > max_new_tokens)", "value: source"),
            Wrong("running[:, :, None] + log_probs", "running[:, :, None] * 0 + log_probs", "value: source"),
        ),
        harmless=(
            "running[:, (1)] = 0.0  # all prefixes are equal at the start: let only the first one branch",
            "for length in range(1, max_new_tokens + (2)):",
            "scores, parents, chosen = best_continuations(running, logits, (3) * num_beams)",
        ),
    ),
]
