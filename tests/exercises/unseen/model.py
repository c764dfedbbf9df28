"""Wrong solutions of lessons 1 to 10, from the usual mistakes of the field. See `wrong.py` for their form."""

UNSEEN = {
    "cosine_schedule": [
        ("warm-up|rise", ("return step / warmup", "return step / total")),
        ("warm-up", ("(step - warmup) / max(1, total - warmup)", "step / max(1, total - warmup)")),
        (r"\bsine", ("math.cos(math.pi", "math.sin(math.pi")),
        ("rises|upside|1 - |wrong way", ("1.0 + math.cos", "1.0 - math.cos")),
        ("warm-up|twice", ("return step / warmup", "return 1.0"), ("0.5 * (1.0 + math.cos", "(1.0 + math.cos")),
        ("total=4, warmup=4|total = warmup", ("max(1, total - warmup)", "(total - warmup)")),
    ],
    "sinusoidal_positional_encoding": [
        (
            "blocks",
            ("encoding[:, 0::2] = angle.sin()", "encoding[:, : (d_model + 1) // 2] = angle.sin()"),
            ("encoding[:, 1::2] = ", "encoding[:, (d_model + 1) // 2 :] = "),
        ),
        ("10000|base", ("10000 **", "1000 **")),
        ("too fast|2π|frequenc|10000", ("angle = time", "angle = 6.283185307179586 * time")),
        (
            "sin.* cos|changed places|swapped",
            ("0::2] = angle.sin()", "0::2] = angle.cos()"),
            ("1::2] = angle.cos()", "1::2] = angle.sin()"),
        ),
        ("exponent", ("(even / d_model)", "(even / 2 / d_model)")),
    ],
    "embed_source": [
        ("scale", ("self.embedding_scale)", "self.embedding_scale**2)")),
        ("target", ("self.source_embedding", "self.target_embedding")),
        ("scale", ("self.embedding_scale)", "1 / self.embedding_scale)")),
        ("scale|other way", ("self.embedding_scale)", "1.0)"), ("padding_mask(source", "~padding_mask(source")),
    ],
    "scaled_dot_product_attention": [
        ("number of keys", ("math.sqrt(query.shape[-1])", "math.sqrt(key.shape[-2])")),
        (
            "other way",
            (
                "masked_fill(~mask, torch.finfo(scores.dtype).min)\n        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)",
                "masked_fill(mask, -1e9)\n        weights = scores.softmax(dim=-1)",
            ),
        ),
        (
            "over the queries|over the axis -2",
            ("scores.softmax(dim=-1).masked_fill", "scores.softmax(dim=-2).masked_fill"),
        ),
        ("scores|sum to 1", ("@ value, weights", "@ value, scores")),
        ("length|normali[sz]ed", ("scores = query @", "scores = torch.nn.functional.normalize(query, dim=-1) @")),
        (
            "not divided|mask is not used",
            (" / math.sqrt(query.shape[-1])", ""),
            ("scores.softmax(dim=-1).masked_fill(~mask, 0.0)", "scores.softmax(dim=-1)"),
            ("scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)", "scores = scores"),
        ),
        (
            "score.* 0|set to 0|is added|becomes 0.0",
            ("masked_fill(~mask, torch.finfo(scores.dtype).min)", "masked_fill(~mask, 0.0)"),
        ),
        ("is added|too small", ("scores.masked_fill(~mask, torch.finfo(scores.dtype).min)", "scores + mask")),
    ],
    "split_heads": [
        ("order", ("d_head=self.d_head)", "d_head=self.d_head).flip(1)")),
        ("shape|swapped", ("-> batch heads time d_head", "-> batch heads d_head time")),
        ("axis is missing|shape", ("-> batch heads time d_head", "-> (batch heads) time d_head")),
        (
            "reshaped|moved",
            (
                'rearrange(x, "batch time (heads d_head) -> batch heads time d_head", d_head=self.d_head)',
                "x.transpose(1, 2).reshape(x.shape[0], self.num_heads, x.shape[1], -1)",
            ),
        ),
    ],
    "multi_head_attention": [
        (
            "reshaped|moved|without",
            (
                'rearrange(heads, "batch heads query d_head -> batch query (heads d_head)")',
                "heads.reshape(len(query), query.shape[1], -1)",
            ),
        ),
        ("queries|q_proj", ("self.q_proj(query)", "self.k_proj(query)")),
        ("values.* key", ("self.v_proj(value)", "self.v_proj(key)")),
        ("keys and values|values and keys", ("self.attend(queries, keys, values", "self.attend(queries, values, keys")),
        (
            "ValueError",
            ("check_mask(mask, len(query), self.num_heads, query.shape[1], keys.shape[2])", "pass"),
        ),
        ("residual|is added", ("return self.out_proj(", "return query + self.out_proj(")),
        ("twice|√d_head|half", ("self.split_heads(self.q_proj(query))", "self.split_heads(self.q_proj(query)) / 2")),
        ("other way", ("keys, values, mask)", "keys, values, None if mask is None else ~mask)")),
        (
            "out_proj|turns",
            (
                'return self.out_proj(rearrange(heads, "batch heads query d_head -> batch query (heads d_head)"))',
                'return rearrange(heads, "batch heads query d_head -> batch query (d_head heads)")',
            ),
        ),
    ],
    "layer_norm": [
        (
            "d_model - 1|outside",
            (
                "centered * torch.rsqrt(variance + self.eps)",
                "centered / (x.std(dim=-1, keepdim=True) + self.eps)",
            ),
        ),
        (
            "whole|all vectors|all numbers",
            ("x.mean(dim=-1, keepdim=True)", "x.mean()"),
            ("centered.square().mean(dim=-1, keepdim=True)", "centered.square().mean()"),
        ),
        (
            "over the (time|batch|vectors)",
            ("x.mean(dim=-1, keepdim=True)", "x.mean(dim=0, keepdim=True)"),
            ("centered.square().mean(dim=-1, keepdim=True)", "centered.square().mean(dim=0, keepdim=True)"),
        ),
        ("mean is not subtracted|RMS", ("centered = x - x.mean(dim=-1, keepdim=True)", "centered = x")),
        (r"gain|weight", ("self.weight * (centered", "(1 + self.weight) * (centered")),
        ("gain|bias", ("self.weight * (centered", "1 * (centered"), (" + self.bias", "")),
        ("multiplied|divided", ("torch.rsqrt(variance", "torch.sqrt(variance")),
        ("absolute|square", ("centered.square()", "centered.abs()")),
        ("bias.*(sign|subtract)|sign|subtract", (" + self.bias", " - self.bias")),
    ],
    "add_norm": [
        ("dropout", ("return self.norm(x + self.dropout(sublayer(x)))", "return self.norm(x + sublayer(x))")),
        (
            "norm",
            (
                "return self.norm(x + self.dropout(sublayer(x)))",
                "x = self.norm(x); return x + self.dropout(sublayer(x))",
            ),
        ),
        ("twice", ("self.norm(x + self.dropout", "self.norm(x + x + self.dropout")),
        (
            "residual",
            ("return x + self.dropout(sublayer(self.norm(x)))", "return self.dropout(sublayer(self.norm(x)))"),
        ),
        (
            "norm",
            (
                "return x + self.dropout(sublayer(self.norm(x)))",
                "return self.norm(x + self.dropout(sublayer(self.norm(x))))",
            ),
        ),
    ],
    "feed_forward": [
        (
            "behind|activation",
            (
                "return self.fc2(ACTIVATIONS[self.activation](self.fc1(x)))",
                "a = ACTIVATIONS[self.activation]; return a(self.fc2(a(self.fc1(x))))",
            ),
        ),
        (
            "before|activation",
            ("ACTIVATIONS[self.activation](self.fc1(x))", "self.fc1(ACTIVATIONS[self.activation](x))"),
        ),
        ("activation", ("ACTIVATIONS[self.activation](self.fc1(x))", "self.fc1(x).sigmoid()")),
        ("b_2|second bias|fc2's bias|bias of fc2", ("return self.fc2(", "return -self.fc2.bias + self.fc2(")),
        (
            "twice|activation",
            ("ACTIVATIONS[self.activation](self.fc1(x))", "self.fc1(x) * ACTIVATIONS[self.activation](self.fc1(x))"),
        ),
    ],
    "encoder_layer": [
        (
            "order|before|first",
            (
                "x = self.self_attention_norm(x, lambda x: self.self_attention(x, x, x, mask))\n        return self.feed_forward_norm(x, self.feed_forward)",
                "x = self.feed_forward_norm(x, self.feed_forward)\n        return self.self_attention_norm(x, lambda x: self.self_attention(x, x, x, mask))",
            ),
        ),
        (
            "residual|norm",
            (
                "self.self_attention_norm(x, lambda x: self.self_attention(x, x, x, mask))",
                "self.self_attention(x, x, x, mask)",
            ),
        ),
        ("other way", ("(x, x, x, mask)", "(x, x, x, None if mask is None else ~mask)")),
        (
            "norm",
            ("self.self_attention_norm(", "self.feed_forward_norm("),
            ("return self.feed_forward_norm(", "return self.self_attention_norm("),
        ),
        ("twice|residual", ("lambda x: self.self_attention(", "lambda x: x + self.self_attention(")),
        ("residual.*feed|feed.*residual|twice", ("(x, self.feed_forward)", "(x, lambda x: x + self.feed_forward(x))")),
    ],
    "padding_mask": [
        ("shape", ("[:, None, None, :]", "[:, :, None, None]")),
        ("below|less|ids", ("ids != pad_id", "ids < pad_id")),
        ("everything|nothing is|all|padding", ("(ids != pad_id)", "torch.ones_like(ids, dtype=torch.bool)")),
        ("off by one|early|late", ("(ids != pad_id)", "(ids != pad_id).roll(1, dims=1)")),
    ],
    "causal_mask": [
        ("other way|hidden", (".tril(diagonal=past)", ".triu(diagonal=past + 1)")),
        ("other way|hidden|past", (".tril(diagonal=past)", ".triu(diagonal=1)")),
        ("past", (".tril(diagonal=past)", ".tril(diagonal=-past)")),
        ("transposed|future", (".tril(diagonal=past)", ".triu()")),
        (r"ValueError.*|causal_mask\(length=0", ("if length < 1 or past < 0:", "if False:")),
        ("dtype", ("dtype=torch.bool", "dtype=torch.float32")),
        ("itself|past", (".tril(diagonal=past)", ".tril(diagonal=-1)")),
    ],
    "decoder_layer": [
        (
            "quer|memory",
            ("self.cross_attention(x, memory, memory, memory_mask", "self.cross_attention(memory, x, x, memory_mask"),
        ),
        ("mask", ("x, x, x, mask, own", "x, x, x, memory_mask, own")),
        (
            "order|before|first",
            (
                "x = self.self_attention_norm(x, lambda x: self.self_attention(x, x, x, mask, own))\n        x = self.cross_attention_norm(x, lambda x: self.cross_attention(x, memory, memory, memory_mask, across))",
                "x = self.cross_attention_norm(x, lambda x: self.cross_attention(x, memory, memory, memory_mask, across))\n        x = self.self_attention_norm(x, lambda x: self.self_attention(x, x, x, mask, own))",
            ),
        ),
        (
            "norm|residual",
            (
                "self.cross_attention_norm(x, lambda x: self.cross_attention(x, memory, memory, memory_mask, across))",
                "self.cross_attention(x, memory, memory, memory_mask, across)",
            ),
        ),
        ("cache", ("own, across = cache", "across, own = cache")),
        (
            "self.attention|projections|cross_attention",
            ("self.cross_attention(x, memory", "self.self_attention(x, memory"),
        ),
        ("mask", ("x, x, x, mask, own", "x, x, x, None, own"), ("memory, memory_mask", "memory, None")),
    ],
    "label_smoothed_cross_entropy": [
        ("batch|rows|sentences", ("total / real.sum()", "total / len(target)")),
        (
            "other tokens|K - 1|too large|1 more is subtracted",
            (".sum(dim=-1) / allowed", ".sum(dim=-1) / (allowed - 1)"),
        ),
        ("softmax", ("log_probs.log_softmax(dim=-1)", "log_probs.softmax(dim=-1).log_softmax(dim=-1)")),
        ("sign|minus|smooth", ("uniform = -log_probs", "uniform = log_probs")),
        ("smooth|share", ("+ smoothing * uniform", "")),
        (
            "padding|swapped|changed places|share",
            ("total / real.sum()", "total / real.numel()"),
            ("(1.0 - smoothing) * loss + smoothing * uniform", "smoothing * loss + (1.0 - smoothing) * uniform"),
        ),
        (
            "ln 2|bits|logarithm|too large",
            ("return total / real.sum()", "return total / real.sum() / 0.6931471805599453"),
        ),
        ("vocab|axis|over the", ("log_probs.log_softmax(dim=-1)", "log_probs.log_softmax(dim=1)")),
    ],
    "collate": [
        ("bos", ("[bos_id, *target[:-1]]", "target[:-1]")),
        ("last token|eos|labels", ("pad([target for", "pad([target[:-1] for")),
        ("source.*(order|backward|reversed)", ("pad([source for", "pad([source[::-1] for")),
        ("source", ("pad([source for", "pad([[bos_id, *source] for")),
        ("source", ("pad([source for source, _", "pad([target for _, target")),
    ],
    "noam_schedule": [
        ("root|step", ("min(step**-0.5", "min(step**0.5")),
        ("d_model", ("d_model**-0.5", "d_model**0.5")),
        ("rise|meet", ("warmup**-1.5", "warmup**-1.0")),
        ("smaller|sum", ("min(step**-0.5, step * warmup**-1.5)", "(step**-0.5 + step * warmup**-1.5)")),
        ("ValueError", ("check_step(step, warmup)", "pass")),
        (
            "never falls|√d_model",
            ("d_model**-0.5 * ", ""),
            ("min(step**-0.5, step * warmup**-1.5)", "step * warmup**-1.5"),
        ),
    ],
    "parameter_groups": [
        (
            "vectors|matrices",
            ('"params": matrices, "weight_decay": weight_decay', '"params": matrices, "weight_decay": 0.0'),
            ('"params": vectors, "weight_decay": 0.0', '"params": vectors, "weight_decay": weight_decay'),
        ),
        ("vectors|matrices|groups", ("parameter.dim() >= 2", "True"), ("parameter.dim() < 2", "False")),
        ("lr|learning rate", ('"lr": learning_rate', '"lr": 1e-3')),
        ("ValueError", ("if not trainable:", "if False:")),
        ("twice|both|vectors|in a group|in two", ("parameter.dim() < 2", "True")),
    ],
    "truncate": [
        ("exactly|mass", ("mass_before >= top_p", "mass_before > top_p")),
        ("probabilit|softmax|so many tokens", ("ordered.softmax(dim=-1)", "ordered")),
        ("-inf|left out", ('logits < kth, float("-inf")', "logits < kth, 0.0")),
        ("so many tokens|too many", ("min(top_k, ", "min(top_k + 1, ")),
        ("worst|best", ('logits < kth, float("-inf")', 'logits >= kth, float("-inf")')),
        ("order|places|another token", (".scatter(-1, order, ordered)", ".copy_(ordered.gather(-1, order))")),
    ],
    "sample": [
        ("temperature", ("logits / temperature", "logits / temperature**2")),
        ("over the|axis|batch|row", (".softmax(dim=-1)", ".softmax(dim=0)")),
        ("temperature", ("logits / temperature", "logits - temperature")),
        (
            "equal|uniform|share|often",
            ("torch.multinomial(probabilities,", "torch.multinomial((probabilities > 0).double(),"),
        ),
        ("temperature|generator", ("logits / temperature", "logits"), ("1, generator=generator)", "1)")),
    ],
    "key_value_cache": [
        ("keys.*values|changed places", ("(keys, values), strict", "(values, keys), strict")),
        (
            "earlier|forgotten|lost|overwritten",
            ("start, self.length = self.length, self.length + keys.shape[2]", "start, self.length = 0, keys.shape[2]"),
        ),
        ("shape", ("return self.stored[0][:, :, : self.length]", "return self.stored[0][:, :, : self.length - 1]")),
        ("earlier|forgotten|lost|empty|0", ("if self.stored is None:", "if True:")),
        (
            "length",
            (
                "start, self.length = self.length, self.length + keys.shape[2]",
                "start, self.length = self.length, self.length + 1",
            ),
        ),
    ],
    "finished_beams": [
        ("other way|reversed|beats", ("best_running > self", "best_running < self")),
        ("worst", ("self.scores[:, -1]", "self.scores.mean(dim=1)")),
        ("tokens|belong|order", ("torch.cat([kept, tokens], dim=1)", "torch.cat([tokens, kept], dim=1)")),
        ("pad", ("value=self.pad_id", "value=0")),
        ("can improve|other way|best|worst", ("best_running > self.scores[:, -1]", "best_running < self.scores[:, 0]")),
    ],
    "beam_search": [
        ("prefix|parent|token", ("best // vocab, best % vocab", "best % vocab, best // vocab")),
        ("log|probabilit", ("logits.float().log_softmax(dim=-1)", "logits.float()")),
        ("penalty|length|divided", ("torch.where(counts, scores / length", "torch.where(counts, scores * length")),
        ("candidates|2 ·|factor 2|twice|ended|as many", ("logits, 2 * num_beams)", "logits, num_beams)")),
        ("ended|eos|finished", ("(scores + NEVER * ended)", "(scores)")),
        ("tokens|survivors|prefix", ("tokens = pick(tokens, survivors)", "tokens = tokens[:, :num_beams]")),
        ("log", ("logits.float().log_softmax(dim=-1)", "logits.float().softmax(dim=-1)")),
    ],
}
