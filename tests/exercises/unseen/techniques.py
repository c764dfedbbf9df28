"""Wrong solutions of lessons 11 to 14 and 17 to 23, from the usual mistakes of the field. See `wrong.py` for their form."""

UNSEEN = {
    "owned_parameters": [
        ("enable|copies|not in the module", ("self.put(self.copies)", "pass")),
        ("load|copies|add", ("parameter.copy_(tensors[name])", "parameter.add_(tensors[name])")),
        ("disable|base|original", ("self.put(self.originals)", "self.put(self.copies)")),
        (
            "same|tied|own|copy|clone",
            ("setattr(module, name, tensor)", "setattr(module, name, type(tensor)(tensor.detach().clone()))"),
        ),
    ],
    "full": [
        ("missing|bias", ("if self.covers(name)", 'if self.covers(name) and "bias" not in name')),
        ("missing|decoder", ("if self.covers(name)", 'if self.covers(name) and not name.startswith("decoder")')),
        ("sites|within|outside|missing|other way", ("if self.covers(name)", "if not self.covers(name)")),
    ],
    "bitfit": [
        ("weight|bias", ('name.endswith(".bias")', 'name.endswith((".bias", "norm.weight"))')),
        ("missing|norm", ('name.endswith(".bias")', 'name.endswith(".bias") and "norm" not in name')),
        ("missing|attention", ('name.endswith(".bias")', 'name.endswith("fc1.bias")')),
        ("sites|within", ("and self.covers(name)", "and not self.covers(name)")),
    ],
    "ln_tuning": [
        ("weight|gain", ("for name, _ in norm.named_parameters()", 'for name in ("bias",)')),
        (
            "encoder|missing",
            ("isinstance(module, LayerNorm | RMSNorm)", 'isinstance(module, LayerNorm) and "decoder" in path'),
        ),
        (
            "target|exclu",
            ("tuple(every) if self.target_modules is None else self.target_modules", "tuple(every)"),
            ("self.exclude_modules, ", "(), "),
        ),
        ("LayerNorm|norm", ("isinstance(module, LayerNorm | RMSNorm)", "isinstance(module, nn.LayerNorm)")),
    ],
    "lora": [
        ("α/r|scal", ("self.scaling * self.lora_A(self", "1 / self.scaling * self.lora_A(self")),
        (
            "α|rank|r times|too large",
            ("self.scaling * self.lora_A(self", "len(self.lora_A.weight) * self.scaling * self.lora_A(self"),
        ),
        ("sign|subtract", ("plus_delta(self.base, product", "plus_delta(self.base, -product")),
        ("shape|size|must match", ("self.scaling))", "self.scaling).T)")),
        ("dropout", ("self.lora_A(self.dropout(x))", "self.dropout(self.lora_A(x))")),
        ("α/r|scal|merged", ("self.lora_B, self.lora_A, self.scaling)", "self.lora_B, self.lora_A, self.scaling**2)")),
        (
            "α/r|scal",
            ("self.scaling * self.lora_A(self", "self.lora_A(self"),
            ("self.lora_A, self.scaling)", "self.lora_A, -self.scaling)"),
        ),
        (
            "linear|relu|negative|activation",
            ("self.scaling * self.lora_A(self.dropout(x))", "self.scaling * self.lora_A(self.dropout(x)).relu()"),
        ),
    ],
    "lora_start": [
        ("A is|learn|both", ("nn.init.zeros_(up.weight)", "nn.init.zeros_(up.weight); nn.init.zeros_(down.weight)")),
        ("1/r|deviation|root", ("std=1 / rank", "std=rank**-0.5")),
        ("shape|mat1", ("(up.weight @ down.weight)", "(down.weight @ up.weight)")),
        ("transposed|shape", ("(up.weight @ down.weight)", "(up.weight @ down.weight).T")),
        ("uniform|normal|gaussian", ('if initialization == "gaussian":', "if True:")),
        ("bias", ("UpLinear(rank, d_out, bias=False)", "UpLinear(rank, d_out, bias=True)")),
    ],
    "rslora": [
        ("√r|root|√rank", ("alpha / math.sqrt(rank)", "alpha / rank**2")),
        ("multipl|divided|√r|√rank", ("alpha / math.sqrt(rank)", "alpha * math.sqrt(rank)")),
        (r"\br\b|rank|too small", ("else alpha / rank", "else alpha / (rank + 1)")),
        ("root|√", ("else alpha / rank", "else math.sqrt(alpha / rank)")),
    ],
    "lora_plus": [
        ("A |lora_A|all else", ('".lora_B." in f".{name}"', '".lora_" in f".{name}"')),
        ("ratio|lr|times|rate", ("ratio * learning_rate", "ratio + learning_rate")),
        ("decay", ("learning_rate, weight_decay):", "learning_rate, 0.0):")),
        ("twice|two groups|both|in one group", ("if id(p) not in fast]", "]")),
    ],
    "dora": [
        ("column|row|d_out|shape", ("dim=1)", "dim=0)")),
        (
            "bias",
            (
                "self.directions(), self.base.bias)",
                "self.directions(), None if self.base.bias is None else self.stretch() * self.base.bias)",
            ),
        ),
        ("α/r|scal", ("+ product(self.lora_B, self.lora_A, self.scaling)", "+ product(self.lora_B, self.lora_A, 1.0)")),
        (r"W x|base|twice|stretch|- 1", ("(stretch - 1) * unturned", "stretch * unturned")),
        (
            "upside|inver|divided|m / ",
            (
                "self.lora_magnitude_vector / row_lengths(self.directions())",
                "row_lengths(self.directions()) / self.lora_magnitude_vector",
            ),
        ),
        ("dropout", ("unturned = F.linear(x, weight_of(self.base))", "pass")),
        (
            "bias|scal|α/r",
            ("self.lora_B(self.scaling * self.lora_A(x))", "self.lora_B(self.lora_A(x))"),
            ("else y - self.base.bias", "else y"),
        ),
    ],
    "pissa": [
        (
            "largest|smallest|best|principal",
            (
                "left[:, :rank] * root, root[:, None] * right[:rank]",
                "left[:, -rank:] * root, root[:, None] * right[-rank:]",
            ),
        ),
        ("√|root|scaling|best", ("left[:, :rank] * root", "left[:, :rank]")),
        ("sign|subtract|added", ("self.lora_A(self.dropout(x))) - start", "self.lora_A(self.dropout(x))) + start")),
        ("scal|α", ("self.scaling * F.linear(x, self.start_A)", "F.linear(x, self.start_A)")),
        ("sign|subtract|added", ("self.lora_A, self.scaling) - self", "self.lora_A, self.scaling) + self")),
        ("scal|√s|too large", ("values[:rank] / scaling", "values[:rank] * scaling")),
    ],
    "vera": [
        ("λ_b|added|sum", ("self.vera_lambda_b * F", "self.vera_lambda_b + F")),
        ("λ_b", ("(self.vera_lambda_b[:, None] * up)", "up")),
        ("sign|subtract", ("plus_delta(self.base, (self", "plus_delta(self.base, -(self")),
        ("λ_d", ("self.vera_lambda_d * F", "(1 + self.vera_lambda_d) * F")),
        ("λ|both vectors", ("return self.vera_lambda_b * ", "return "), ("self.vera_lambda_d * F", "F")),
    ],
    "ia3": [
        ("input|output|feed", ("if self.feedforward:", "if not self.feedforward:")),
        (
            r"1 \+|twice|not scaled|added",
            ("return factors.flatten() * features", "return (1 + factors.flatten()) * features"),
        ),
        ("added|multipl", ("return factors.flatten() * features", "return factors.flatten() + features")),
        ("bias", ("bias is not None and not self.feedforward", "bias is not None")),
        ("bias", ("weight_of(self.base), bias)", "weight_of(self.base), self.base.bias)")),
        ("divided|inver|multipl", ("return factors.flatten() * features", "return features / factors.flatten()")),
    ],
    "adapter_bottleneck": [
        (
            "behind|activation",
            (
                "self.up(ACTIVATIONS[self.activation](self.down(x)))",
                "ACTIVATIONS[self.activation](self.up(self.down(x)))",
            ),
        ),
        (
            "before|activation",
            ("ACTIVATIONS[self.activation](self.down(x))", "self.down(ACTIVATIONS[self.activation](x))"),
        ),
        ("activation|tanh", ("ACTIVATIONS[self.activation](self.down(x))", "self.down(x).tanh()")),
        ("b_up|bias", ("return self.up(", "return -self.up.bias + self.up(")),
    ],
    "adapter_houlsby": [
        ("the input|x is|x itself|residual|sub-layer", ("h + self.adapter(h)", "x + self.adapter(h)")),
        ("twice|adapter", ("self.adapter(h)", "self.adapter(self.adapter(h))")),
        ("multipl|residual|added|sum", ("h + self.adapter(h)", "h * self.adapter(h)")),
        ("twice|adapter", ("h + self.adapter(h)", "h + 2 * self.adapter(h)")),
    ],
    "adapter_pfeiffer": [
        (
            "residual|x is",
            (
                "self.base.norm(x + (f + self.adapter(self.base.norm(x + f))))",
                "self.base.norm(f + self.adapter(self.base.norm(x + f)))",
            ),
        ),
        ("norm", ("return x + (f + self.adapter(f))", "return x + (f + self.adapter(self.base.norm(f)))")),
        ("norm", ("return x + (f + self.adapter(f))", "return self.base.norm(x + (f + self.adapter(f)))")),
        ("dropout", ("f = self.base.dropout(sublayer(x))", "f = sublayer(x)")),
    ],
    "adapter_parallel": [
        ("divided|s twice|s² |inver|times too", ("self.scaling * self.adapter(x)", "self.adapter(x) / self.scaling")),
        ("residual|x is|input", ("return self.scaling", "return x + self.scaling")),
        ("sign|subtract", ("return self.scaling", "return -self.scaling")),
    ],
    "prompt_tuning": [
        ("behind|in front|order", ("[rows, x]", "[x, rows]"), ("(prompt.shape[0], 0)", "(0, prompt.shape[0])")),
        ("prompt", ("[rows, x]", "[rows * 0, x]")),
        ("order|backward|reversed|turned around", ("[rows, x]", "[rows.flip(1), x]")),
        (
            "base|before|order",
            (
                "in_front(self.prompt_embeddings, *self.base(x, mask))",
                "self.base(*in_front(self.prompt_embeddings, x, mask))",
            ),
        ),
        ("shape", ("[rows, x]", "[rows, x[:, prompt.shape[0] :]]")),
    ],
    "prompt_start": [
        ("scale|twice|times too", ("model.embedding_scale * ", "model.embedding_scale**2 * ")),
        ("ids|other token|row|text", ("ids = text[", "ids = 1 + text[")),
        ("deviation|N\\(0|too small|normal", ("return torch.randn(", "return 0.02 * torch.randn(")),
        ("vocabulary|IndexError|ValueError", ("text.max() >= len(embeddings)", "text.max() > len(embeddings)")),
    ],
    "p_tuning": [
        (
            "axis|sequence|neighbour|one after",
            ("self.lstm(self.embedding)[0]", "self.lstm(self.embedding[None])[0][0]"),
        ),
        ("tanh|activation|nothing stands|between", ("self.head(hidden)", "self.head(hidden.tanh())")),
        ("mode|training|evaluation", ("self.train(training)", "self.train()")),
        ("dropout", ("nn.Parameter(self.encoder.result(),", "nn.Parameter(self.encoder.train()().detach(),")),
        (
            "embedding|residual|added",
            ("prompt: Tensor = self.head(hidden)", "prompt: Tensor = self.head(hidden) + self.embedding"),
        ),
    ],
    "prefix_tuning": [
        (
            "behind|front|order|early|late",
            ("[prefix.expand(len(x), -1, -1, -1), x]", "[x, prefix.expand(len(x), -1, -1, -1)]"),
        ),
        ("mask", ("before(prefix_value, value), mask)", "before(prefix_value, value), None)")),
        ("shape|size|must match|value", ("before(prefix_value, value)", "value")),
        ("values|P_V|prefix_value", ("before(prefix_value, value)", "before(prefix_key, value)")),
        ("layout|heads|order|half|halves", ("(two heads d_head)", "(heads two d_head)")),
        ("mask", ("F.pad(every_key,", "F.pad(torch.ones_like(every_key),")),
    ],
    "prefix_network": [
        ("tanh", ("self.hidden(self.embedding).tanh()", "self.hidden(self.embedding).relu()")),
        ("tanh", ("self.hidden(self.embedding).tanh()", "self.hidden(self.embedding).sigmoid()")),
        ("tanh", ("self.last(self.trunk())", "self.last(self.trunk()).tanh()")),
        ("bias| b ", ("self.hidden(self.embedding).tanh()", "(self.embedding @ self.hidden.weight.T).tanh()")),
    ],
    "p_tuning_v2": [
        ("load|saved|numbers|value", ("super().load(tensors)", "pass")),
        (
            "keys and values|0|value",
            ('nn.Parameter(self.saved()["prefix"],', 'nn.Parameter(0 * self.saved()["prefix"],'),
        ),
        ("shape", ("self.rows().detach()}", "self.rows().detach()[1:]}")),
        ("train|requires_grad|learn", ("self.last.weight.requires_grad)", "False)")),
    ],
    "ssf": [
        ("shift|β|sign", ("return scale * y + shift", "return scale * y - shift")),
        ("shift|β|bias", ("scale_and_shift(self.base.bias, self.ssf_scale, shift)", "self.ssf_scale * self.base.bias")),
        (r"1 \+|γ|scale", ("return scale * y + shift", "return (1 + scale) * y + shift")),
        (
            "shift|β|bias",
            ("scale_and_shift(self.base.bias, self.ssf_scale, shift)", "self.ssf_scale * (self.base.bias + shift)"),
        ),
        ("weight|γ|scale", ("self.ssf_scale[:, None] * weight_of(self.base)", "weight_of(self.base)")),
        (
            "changed places|swapped",
            ("self.base(x), self.ssf_scale, self.ssf_shift", "self.base(x), self.ssf_shift, self.ssf_scale"),
        ),
    ],
    "pill_adapter": [
        ("silu|gelu", ("F.silu(", "F.gelu(")),
        ("both|silu|D x", ("* self.down(x)", "* F.silu(self.down(x))")),
        ("relu|silu", ("F.silu(", "F.relu(")),
        ("product|silu|outside|behind", ("F.silu(self.gate(x)) * self.down(x)", "F.silu(self.gate(x) * self.down(x))")),
    ],
    "pill_routing": [
        ("expert|type|sum", ("torch.where((types == number).unsqueeze(-1), expert(x), change)", "change + expert(x)")),
        ("expert|type", ("types == number)", "types == number - 1)")),
        ("stage", ("self.stage == 1", "self.stage == 2")),
        ("stage 1|change places|type 0|changed places", ("(types == 0)", "(types != 0)")),
        ("once|feed.forward|x \\+", ("self.base(x + change)", "self.base(x) + self.base(change)")),
    ],
    "pill_gate": [
        (r"1 \+|tanh", ("F.linear(x, self.weight).tanh()", "1 + F.linear(x, self.weight).tanh()")),
        ("reads|values|of x", ("self.value_gate(x)", "self.value_gate(values)")),
        ("tanh", ("F.linear(x, self.weight).tanh()", "F.linear(x, self.weight).relu()")),
        ("tanh|softmax", ("F.linear(x, self.weight).tanh()", "F.linear(x, self.weight).softmax(-1)")),
        ("multipl|added|times", ("heads * factors", "heads + factors")),
        ("new|known|type", ("len(x)) > 0", "len(x)) >= 0")),
        ("known|new|stage", ("if self.stage == 1:", "if False:"), (".masked_fill(~is_new", ".masked_fill(is_new")),
    ],
    "combine": [
        (
            "sum|mean|number of",
            ("return torch.stack(up).sum(dim=0), torch", "return torch.stack(up).mean(dim=0), torch"),
        ),
        (
            "twice|square|weight",
            (
                "up = torch.cat([layer.lora_B.weight for _, layer",
                "up = torch.cat([w * layer.lora_B.weight for w, layer",
            ),
        ),
        (
            "singular|values|square|twice",
            ("* values[:rank], right[:rank]", "* values[:rank], values[:rank, None] * right[:rank]"),
        ),
        ("singular|root|square|values", ("* values[:rank], right", "* values[:rank].sqrt(), right")),
        (
            "largest|smallest|best|nearest",
            ("left[:, :rank] * values[:rank], right[:rank]", "left[:, -rank:] * values[-rank:], right[-rank:]"),
        ),
        ("scal|α/r", ("math.sqrt(abs(weight) * layer.scaling)", "math.sqrt(abs(weight))")),
    ],
}
