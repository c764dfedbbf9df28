"""Wrong solutions of lessons 15, 16 and 24 to 27, from the usual mistakes of the field. See `wrong.py` for their form."""

UNSEEN = {
    "pack_nibbles": [
        ("bits|every value is 0|lost|and", ("(codes[0::2] << 4) | codes[1::2]", "(codes[0::2] << 4) & codes[1::2]")),
        (
            "padding|front|end|one place|late",
            ("torch.cat([codes, codes.new_tensor([padding])])", "torch.cat([codes.new_tensor([padding]), codes])"),
        ),
        ("15|four bits|bit", ("packed & 15", "packed & 7")),
        ("ValueError", ("if packed.numel() != (count + 1) // 2:", "if False:")),
        (
            "half|first code|high",
            ("(codes[0::2] << 4) | codes[1::2]", "(codes[1::2] << 4) | codes[0::2]"),
            ("[packed >> 4, packed & 15]", "[packed & 15, packed >> 4]"),
        ),
        (
            "neighbour|half|order|together",
            ("(codes[0::2] << 4) | codes[1::2]", "(codes[: len(codes) // 2] << 4) | codes[len(codes) // 2 :]"),
        ),
    ],
    "normal_float": [
        ("1|max|divided|times too", ("both / both.max()", "both / both.max() ** 2")),
        (
            "normal|quantile|straight|even",
            (
                "torch.special.ndtri(torch.linspace(outermost, 0.5, levels // 2 + 1, dtype=torch.float64)[:-1])",
                "(torch.linspace(outermost, 0.5, levels // 2 + 1, dtype=torch.float64)[:-1] - 0.5)",
            ),
            (
                "-torch.special.ndtri(torch.linspace(outermost, 0.5, levels // 2, dtype=torch.float64)[:-1])",
                "-(torch.linspace(outermost, 0.5, levels // 2, dtype=torch.float64)[:-1] - 0.5)",
            ),
        ),
        (
            "positive|negative|sign",
            ("0.5, levels // 2 + 1,", "0.5, levels // 2,"),
            (
                "negative = -torch.special.ndtri(torch.linspace(outermost, 0.5, levels // 2,",
                "negative = -torch.special.ndtri(torch.linspace(outermost, 0.5, levels // 2 + 1,",
            ),
        ),
        (
            "outermost|1/30|1 / 30|mean",
            ("1 - (1 / (2 * levels) + 1 / (2 * levels - 2)) / 2", "1 - 1 / (2 * levels - 2)"),
        ),
        ("dtype", (".max()).float()", ".max())")),
    ],
    "block_scales": [
        ("added|subtract|times|multipl|divided", ("blocks * (1 / scales", "blocks - (scales")),
        ("block", ("[:, None]", ".mean()")),
        ("zeros|0|short block|filled", ("F.pad(line, (0, missing))", "F.pad(line, (0, missing), value=1.0)")),
        (
            "transposed|block|places",
            (
                '"(blocks size) -> blocks size", size=block_size)',
                '"(blocks size) -> blocks size", size=block_size).flip(0)',
            ),
        ),
        ("root|square", ("(1 / scales.clamp(min=SMALLEST_SCALE))", "(1 / scales.clamp(min=SMALLEST_SCALE)).sqrt()")),
    ],
    "nearest_level": [
        ("mean|largest", ("blocks.abs().amax(dim=1)", "blocks.abs().mean(dim=1)")),
        ("farthest|nearest", ("distances.argmin(dim=-1)", "distances.argmax(dim=-1)")),
        ("divided|multipl|times", ("* scales[:, None]", "/ scales[:, None]")),
        ("largest|length|norm", ("blocks.abs().amax(dim=1)", "blocks.norm(dim=1)")),
        (
            "largest|abs|sign|nearest",
            ("blocks.abs().amax(dim=1)", "blocks.amax(dim=1)"),
            ("- levels).abs()", "- levels)"),
        ),
        ("1 / scale|inver|largest", (".byte(), scales", ".byte(), 1 / scales")),
    ],
    "affine_int4": [
        ("floor|round|down|nearest", ("(positions - 0.5).ceil()", "positions.floor()")),
        ("minimum|smallest", ("minimums = blocks.amin(dim=1)", "minimums = -blocks.abs().amax(dim=1)")),
        (
            "one step|all blocks|whole|everything at once",
            ("(blocks.amax(dim=1) - minimums) / 15", "(blocks.amax() - minimums) / 15"),
        ),
        ("minimum|sign|subtract", ("+ quantized.minimums[:, None]", "- quantized.minimums[:, None]")),
        (
            "minimum|before",
            (
                "in_blocks(codes.float(), block_size) * quantized.steps[:, None] + quantized.minimums[:, None]",
                "(in_blocks(codes.float(), block_size) + quantized.minimums[:, None]) * quantized.steps[:, None]",
            ),
        ),
        ("15|level|largest", ("clamp(0, 15)", "clamp(0, 14)")),
    ],
    "double_quantization": [
        ("nearest|round|middle", ("(levels[:-1] + levels[1:]) / 2", "levels[1:]")),
        ("mean", ("mean = scales.mean()", "mean = scales.min()")),
        ("absmax|group|largest", ("in_groups(levels) * self.absmax[:, None]", "in_groups(levels)")),
        ("mean|subtract", ("+ self.mean", "- self.mean")),
        ("negative|clamp|sign", (".clamp(min=0)", ".abs()")),
    ],
    "qlora": [
        ("shape", ("rows @ dequantize_4bit(weight, rows.dtype)", "rows @ dequantize_4bit(weight, rows.dtype).T")),
        (
            "number of gradients|gradients.*expected|as many",
            ("return for_x, for_bias, None, *(None for _ in ctx.names)", "return for_x, for_bias, None"),
        ),
        (
            "kept|Ŵ|stor|memory",
            (
                "ctx.save_for_backward(*parts)",
                "ctx.save_for_backward(*parts); ctx.whole = dequantize_4bit(weight, x.dtype)",
            ),
        ),
        (
            "bias",
            (
                "dequantize_4bit(weight, x.dtype), bias)",
                "dequantize_4bit(weight, x.dtype), bias) + (0 if bias is None else bias)",
            ),
        ),
        ("bias|shape", ("rows.sum(dim=0)", "rows.sum(dim=1)")),
        ("gradient.*x|sign", ("for_x = (rows", "for_x = -(rows")),
    ],
    "preference_loss": [
        ("sign", ("return -F", "return F")),
        ("sigmoid|logistic", ("-F.logsigmoid(chosen - rejected)", "-(chosen - rejected).square()")),
        ("margin|sigmoid|1 ", ("chosen - rejected", "chosen - rejected - 1")),
        ("sum|rejected|changed places", ("chosen - rejected", "rejected - chosen"), (".mean()", ".sum()")),
        ("mean", ("chosen - rejected).mean()", "chosen.mean() - rejected.mean())")),
        ("nat|ln 2|bits|logarithm", (".mean()", ".mean() / 0.6931471805599453")),
        ("sigmoid|hinge|margin", ("-F.logsigmoid(chosen - rejected)", "F.relu(1 - (chosen - rejected))")),
    ],
    "response_mask": [
        ("other way|complement|padding", ("== 0\n", "!= 0\n"), ("before_end & some_later", "~before_end")),
        ("behind|after|EOS", ("return before_end & some_later", "return some_later")),
        (
            "inside|within|before|middle|padding",
            ("(responses != pad_id).flip(1).cumsum(dim=1).flip(1) > 0", "responses != pad_id"),
        ),
        ("axis|batch|rows", ("(responses == eos_id).cumsum(dim=1) -", "(responses == eos_id).cumsum(dim=0) -")),
        (
            "last|first|off by one|without the EOS|late|early",
            ("- (responses == eos_id).long()) == 0", "- (responses == eos_id).long()) <= 1"),
        ),
    ],
    "token_log_probs": [
        ("off by one|one place|early|late", ("responses.unsqueeze(-1)", "responses.roll(-1, 1).unsqueeze(-1)")),
        ("sign", ("return (scaled", "return -(scaled")),
        ("temperature", ("(scaled / temperature).log_softmax(dim=-1)", "scaled.log_softmax(dim=-1).div(temperature)")),
        ("shape|axis is missing", (".squeeze(-1)", ".squeeze(-1).sum(-1)")),
        ("temperature|log", ("scaled / temperature", "scaled"), (".log_softmax(dim=-1)", ".softmax(dim=-1)")),
    ],
    "kl_estimate": [
        (
            "ratio|turned|other way|changed places|reference",
            ("torch.expm1(log_ratio) - log_ratio", "torch.expm1(-log_ratio) + log_ratio"),
        ),
        ("absolute|sign|negative", ("return -log_ratio", "return log_ratio.abs()")),
        ("square", ("log_ratio.square()", "log_ratio.abs()")),
        (
            "half|times too small|½",
            ("torch.expm1(log_ratio) - log_ratio", "0.5 * (torch.expm1(log_ratio) - log_ratio)"),
        ),
        ("shape|axis|mean", ("return -log_ratio", "return -log_ratio.mean()")),
        (
            "½|half|times too large|changed places",
            ("reference_log_probs - log_probs", "log_probs - reference_log_probs"),
            ("0.5 * log_ratio", "log_ratio"),
        ),
    ],
    "adaptive_kl": [
        ("clip|0.2", ("-0.2), 0.2)", "-0.1), 0.1)")),
        ("added|multipl|factor|tenth too far", ("self.beta *= 1.0 + error", "self.beta += error")),
        ("upside|target / kl|ratio|inver|changed places", ("kl / self.target", "self.target / kl")),
        ("negative|below|fall|-0.2|small", ("max(kl / self.target - 1.0, -0.2)", "max(kl / self.target - 1.0, 0.0)")),
        ("horizon", ("error * steps / self.horizon", "error * steps")),
        (
            "sign|clip|other way|falls|rises",
            ("1.0 + error", "1.0 - error"),
            ("min(max(kl / self.target - 1.0, -0.2), 0.2)", "kl / self.target - 1.0"),
        ),
    ],
    "token_rewards": [
        ("first|last", ("last_token(mask)[:, None]", "0 * last_token(mask)[:, None]")),
        (
            "every|each|last",
            (
                "return rewards.scatter_add(1, last_token(mask)[:, None], scores[:, None].to(rewards.dtype))",
                "return only_real(rewards + scores[:, None], mask)",
            ),
        ),
        ("k1|k3|estimat", ('"k1")', '"k3")')),
        ("β|beta|score", ("scores[:, None].to", "(beta * scores[:, None]).to")),
        ("sign|subtract", ("scores[:, None].to", "(-scores[:, None]).to")),
        (
            "changed places|sign|other way|reference",
            ("kl_estimate(log_probs, reference_log_probs", "kl_estimate(reference_log_probs, log_probs"),
        ),
        ("replace|added|price|scatter stands", ("rewards.scatter_add(", "rewards.scatter(")),
    ],
    "gae": [
        ("γ", ("gamma * lam * advantage", "lam * advantage")),
        ("γ", ("gamma * next_value", "next_value")),
        ("V|value", ("gamma * next_value - values[:, t]", "gamma * next_value")),
        ("value|return", ("advantages, advantages + values", "advantages, advantages + rewards")),
        ("next|value|V'", ("next_value = values[:, t]\n", "next_value = rewards[:, t]\n")),
        ("γ|λ", ("gamma * lam * advantage", "advantage"), ("gamma * next_value", "next_value")),
    ],
    "whiten": [
        (
            "padding|all numbers|variance",
            ("masked_mean((values - mean).square(), mask)", "(values - mean).square().mean()"),
        ),
        (
            "each row|every row|response|row by row|batch",
            ("masked_mean(values, mask)", "((values * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True))"),
        ),
        ("ε|1e-8|constant", ("1e-8", "1e-1")),
        ("mean|sign", ("whitened + mean", "whitened - mean")),
        ("unbiased|n - 1|padding|count", ("masked_mean((values - mean).square(), mask)", "values.var()")),
        ("divided|multipl", ("torch.rsqrt(", "torch.sqrt(")),
        ("absolute|square|root", ("(values - mean).square()", "(values - mean).abs()")),
    ],
    "ppo_policy_loss": [
        ("sign", ("torch.maximum(-gain * ratio, -gain * ratio", "torch.maximum(gain * ratio, gain * ratio")),
        ("upside|inver|changed places|old", ("log_probs - old_log_probs", "old_log_probs - log_probs")),
        ("around 1|1 ±|clip", ("1.0 - clip, 1.0 + clip", "-clip, clip")),
        ("below|lower|clip", ("ratio.clamp(1.0 - clip, 1.0 + clip)", "ratio.clamp(max=1.0 + clip)")),
        (
            "sum|mean",
            (
                "return masked_mean(clipped_surrogate(log_probs, old_log_probs, advantages, mask, clip), mask)",
                "return clipped_surrogate(log_probs, old_log_probs, advantages, mask, clip).sum()",
            ),
        ),
        ("ValueError", ("check_clip(clip)", "pass")),
        (
            "row|response|each",
            (
                "return masked_mean(clipped_surrogate(log_probs, old_log_probs, advantages, mask, clip), mask)",
                "return (clipped_surrogate(log_probs, old_log_probs, advantages, mask, clip).sum(1) / mask.sum(1)).mean()",
            ),
        ),
        ("advantage|square|twice", ("gain = only_real(advantages, mask)", "gain = only_real(advantages, mask).abs()")),
    ],
    "ppo_value_loss": [
        ("½|half|twice|worse|smaller", ("0.5 * masked_mean", "masked_mean"), ("torch.maximum(", "torch.minimum(")),
        (
            "old|around|return",
            (
                "old_values + (values - old_values).clamp(-clip, clip)",
                "returns + (values - returns).clamp(-clip, clip)",
            ),
        ),
        (
            "square",
            ("(values - returns).square()", "(values - returns).abs()"),
            ("(near - returns).square()", "(near - returns).abs()"),
        ),
        ("old|near|clip", ("old_values + (values", "values + (values")),
        (
            "padding",
            (
                "masked_mean(torch.maximum((values - returns).square(), (near - returns).square()), mask)",
                "torch.maximum((values - returns).square(), (near - returns).square()).mean()",
            ),
        ),
        ("clip", ("near = old_values + (values - old_values).clamp(-clip, clip)", "near = old_values")),
    ],
    "dpo_loss": [
        (
            "β.*(inside|outside|sigmoid)|outside",
            ("margin = beta * ((policy_chosen", "margin = ((policy_chosen"),
            ("return -((", "return -beta * (("),
        ),
        ("reference", ("(policy_rejected - reference_rejected)", "policy_rejected")),
        ("rejected|minus|sum", ("- (policy_rejected", "+ (policy_rejected")),
        ("sign", ("return -((", "return ((")),
        ("log", ("F.logsigmoid(margin)", "torch.sigmoid(margin)")),
        (
            "sigmoid|square|IPO",
            (
                "return -((1.0 - label_smoothing) * F.logsigmoid(margin) + label_smoothing * F.logsigmoid(-margin)).mean()",
                "return (margin / beta - 1 / (2 * beta)).square().mean()",
            ),
        ),
        (
            "sigmoid|hinge",
            (
                "return -((1.0 - label_smoothing) * F.logsigmoid(margin) + label_smoothing * F.logsigmoid(-margin)).mean()",
                "return F.relu(1 - margin).mean()",
            ),
        ),
        ("β|sum|mean", ("beta * ((policy", "((policy"), (".mean()", ".sum()")),
        (
            "reference|chosen|rejected",
            (
                "(policy_chosen - reference_chosen) - (policy_rejected - reference_rejected)",
                "(policy_rejected - policy_chosen)",
            ),
        ),
    ],
    "grpo_advantages": [
        (
            "biased|1e-4",
            ("groups.std(dim=1, keepdim=True) + 1e-4", "groups.std(dim=1, keepdim=True, correction=0) + 1e-8"),
        ),
        ("whole batch|batch's deviation|everything at once", ("groups.std(dim=1, keepdim=True)", "rewards.std()")),
        ("sign", ("groups - groups.mean(dim=1, keepdim=True)", "groups.mean(dim=1, keepdim=True) - groups")),
        ("mean|median", ("groups.mean(dim=1, keepdim=True)", "groups.median(dim=1, keepdim=True).values")),
        (
            "others|its own|leave|- 1|times too large",
            (
                "better = groups - groups.mean(dim=1, keepdim=True)",
                "better = (groups - groups.mean(dim=1, keepdim=True)) * group_size / (group_size - 1)",
            ),
        ),
        (
            "ε|root|1e-4|constant",
            ("groups.std(dim=1, keepdim=True) + 1e-4", "(groups.var(dim=1, keepdim=True) + 1e-4).sqrt()"),
        ),
        ("ValueError", ("if group_size < 2 or len(rewards) % group_size:", "if len(rewards) % group_size:")),
        ("best|largest|mean", ("groups.mean(dim=1, keepdim=True)", "groups.amax(dim=1, keepdim=True)")),
    ],
}
