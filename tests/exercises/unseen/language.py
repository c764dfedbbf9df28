"""Wrong solutions of lessons 29 and 30, from the usual mistakes of the field. See `wrong.py` for their form."""

UNSEEN = {
    "rms_norm": [
        ("root|divided|multipl", ("torch.rsqrt(", "torch.sqrt(")),
        (
            "mean|taken off|centered|subtract",
            ("x * torch.rsqrt(x.square()", "(x - x.mean(dim=-1, keepdim=True)) * torch.rsqrt(x.square()"),
        ),
        ("sum|mean", ("x.square().mean(dim=-1, keepdim=True)", "x.square().sum(dim=-1, keepdim=True)")),
        (
            "ε|eps|weight|gain",
            ("x.square().mean(dim=-1, keepdim=True) + self.eps)", "x.square().mean(dim=-1, keepdim=True))"),
            ("self.weight * (", "("),
        ),
    ],
    "rotary": [
        ("neighbours|half a head|halves|pair", ("x.chunk(2, dim=-1)", "(x[..., 0::2], x[..., 1::2])")),
        ("sin|cos", ("second * cosine + first * sine", "second * sine + first * cosine")),
        ("d_model|d_head|exponent", (") / config.d_head)", ") / (2 * config.d_head))")),
        (
            "other way|sign|sine|subtract|added",
            ("first * cosine - second * sine", "first * cosine + second * sine"),
            ("second * cosine + first * sine", "second * cosine - first * sine"),
        ),
    ],
    "slowed_rotary": [
        ("factor|multipl|divided", ("(1 - stays) / config.rope_factor", "(1 - stays) * config.rope_factor")),
        ("2π|turns|2 \\*|pi", (" / (2 * math.pi)", "")),
        (
            "low|high|changed places|other way",
            (
                "low, high = config.rope_low_freq_factor, config.rope_high_freq_factor",
                "high, low = config.rope_low_freq_factor, config.rope_high_freq_factor",
            ),
        ),
        (
            "clamp|clip|2π|turns|pi",
            (".clamp(0, 1)", ""),
            ("(2 * math.pi)", "math.pi"),
        ),
    ],
    "grouped_heads": [
        (
            "turns|neighbours|0 1 2|order|repeat",
            (
                "shared.repeat_interleave(num_heads // shared.shape[1], dim=1)",
                "shared.repeat(1, num_heads // shared.shape[1], 1, 1)",
            ),
        ),
        ("shape|heads", ("num_heads // shared.shape[1], dim=1)", "num_heads, dim=1)")),
        (
            "first|0 0 0|all|neighbours|heads",
            (
                "shared.repeat_interleave(num_heads // shared.shape[1], dim=1)",
                "shared[:, :1].repeat(1, num_heads, 1, 1)",
            ),
        ),
        ("shape|axis", ("num_heads // shared.shape[1], dim=1)", "num_heads // shared.shape[1], dim=2)")),
    ],
    "gated_feed_forward": [
        ("added|multipl|gate", ("(self.fc1(x)) * self.fc3(x)", "(self.fc1(x)) + self.fc3(x)")),
        (
            "changed places|fc1|fc3|gate",
            ("(self.fc1(x)) * self.fc3(x)", "(self.fc3(x)) * self.fc1(x)"),
        ),
        ("fc3|gate|both", ("(self.fc1(x)) * self.fc3(x)", "(self.fc1(x) * self.fc3(x))")),
        (
            "activation|both|fc3|residual|x is added",
            ("* self.fc3(x))", "* ACTIVATIONS[self.activation](self.fc3(x)))"),
            ("return self.fc2(", "return x + self.fc2("),
        ),
    ],
    "q4_1": [
        (
            "neighbours|interleav|order|low half|halves",
            ("np.concatenate([q & 15, q >> 4], axis=1)", "np.stack([q & 15, q >> 4], axis=-1).reshape(len(q), -1)"),
        ),
        ("sign|subtract|minimum", (' + in_float32(blocks["m"])', ' - in_float32(blocks["m"])')),
        (
            "changed places|scale|minimum|\\bd\\b|\\bm\\b",
            ('in_float32(blocks["d"]) * in_half', 'in_float32(blocks["m"]) * in_half'),
            ('+ in_float32(blocks["m"])', '+ in_float32(blocks["d"])'),
        ),
        ("8|Q4_0|minimum|15|bit", ("q & 15", "q & 7")),
    ],
    "learnt_tokens": [
        ("one place|next|early|late|before", ("before[:, :-1] = learnt[:, 1:]", "before[:, 1:] = learnt[:, :-1]")),
        ("before|next|shift|place", ("before[:, :-1] = learnt[:, 1:]", "before = learnt")),
        ("labels|learnt|all|pad", ("source[learnt][None]", "source[source != pad_id][None]")),
        (
            "document|text|number",
            (
                "for number, (ids, _) in enumerate(row) for _ in ids]",
                "for number, (ids, _) in enumerate(row, 1) for _ in ids]",
            ),
        ),
        (
            "padding|document|before|place",
            ("source.shape[1], row[-1] + 1)", "source.shape[1], row[-1])"),
            ("before[:, :-1] = learnt[:, 1:]", "before = learnt.roll(-1, 1)"),
        ),
    ],
}
