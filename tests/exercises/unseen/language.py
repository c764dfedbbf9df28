"""Wrong solutions of lessons 29 and 30, from the usual mistakes of the field. See `wrong.py` for their form."""

UNSEEN = {
    "rms_norm": [
        ("root|divided|multipl", ("torch.rsqrt(", "torch.sqrt(")),
        (
            "mean|taken off|centered|subtract",
            ("x * torch.rsqrt(x.square()", "(x - x.mean(dim=-1, keepdim=True)) * torch.rsqrt(x.square()"),
        ),
        ("abs|square", ("x.square().mean(", "x.abs().mean(")),
        ("gain|weight|sum", ("self.weight * (", "self.weight + (")),
        (
            "ε|eps|weight|gain",
            ("keepdim=True) + self.eps)", "keepdim=True))"),
            ("self.weight * (", "("),
        ),
    ],
    "rotary": [
        ("sin|cos", ("second * cosine + first * sine", "second * sine + first * cosine")),
        ("sign|subtract|added|other way|sine", ("second * cosine + first * sine", "second * cosine - first * sine")),
        ("exponent|halved|doubled|d_head", ("/ config.d_head)", "/ (2 * config.d_head))")),
        (
            "changed places|sin|cos",
            ("cosine=angle.cos().to(dtype), sine=angle.sin()", "cosine=angle.sin().to(dtype), sine=angle.cos()"),
        ),
        (
            "10000|rope_base|other way|sign|sine",
            ("config.rope_base **", "10000 **"),
            ("second * cosine + first * sine", "second * cosine - first * sine"),
        ),
    ],
    "slowed_rotary": [
        ("2π|π|pi|twice|half|turns|factor 2 is missing", ("(2 * math.pi)", "math.pi")),
        (
            "low|high|changed places|other way",
            ("low, high = config.rope_low_freq_factor, config", "high, low = config.rope_low_freq_factor, config"),
        ),
        ("low|high|difference", ("(turns - low) / (high - low)", "turns / high")),
        ("multipl|divided|inver|factor", ("/ config.rope_factor + stays", "/ config.rope_factor**2 + stays")),
        ("clamp|clip|cut|2π|turns|pi", (".clamp(0, 1)", ""), (" / (2 * math.pi)", "")),
    ],
    "grouped_heads": [
        (
            "last|neighbours|all|one head",
            (
                "shared.repeat_interleave(num_heads // shared.shape[1], dim=1)",
                "shared[:, -1:].repeat(1, num_heads, 1, 1)",
            ),
        ),
        ("shape", ("num_heads // shared.shape[1], dim=1)", "num_heads - shared.shape[1], dim=1)")),
        ("shape", ("num_heads // shared.shape[1], dim=1)", "num_heads // shared.shape[1], dim=3)")),
        (
            "take turns|order|reversed",
            (
                "shared.repeat_interleave(num_heads // shared.shape[1], dim=1)",
                "shared.flip(1).repeat(1, num_heads // shared.shape[1], 1, 1)",
            ),
        ),
    ],
    "gated_feed_forward": [
        ("residual|x is added", ("return self.fc2(", "return x + self.fc2(")),
        ("both|fc3|twice|activation", ("* self.fc3(x))", "* ACTIVATIONS[self.activation](self.fc3(x)))")),
        ("fc1|fc3|squared|twice", ("* self.fc3(x))", "* self.fc1(x))")),
        (
            "residual|added|gate|fc3",
            ("(self.fc1(x)) * self.fc3(x)", "(self.fc1(x)) + self.fc3(x)"),
            ("return self.fc2(", "return x + self.fc2("),
        ),
    ],
    "q4_1": [
        ("sign|subtract|minimum", (' + in_float32(blocks["m"])', ' - in_float32(blocks["m"])')),
        (
            "changed places|scale|minimum",
            ('in_float32(blocks["d"]) * in_half', 'in_float32(blocks["m"]) * in_half'),
            ('+ in_float32(blocks["m"])', '+ in_float32(blocks["d"])'),
        ),
        ("bit|15|7|low half", ("q & 15", "q & 7")),
        (
            "low half|high half|Q4_0|8",
            ("[q & 15, q >> 4]", "[q >> 4, q & 15]"),
            ('in_half_bytes(blocks["q"])', '(in_half_bytes(blocks["q"]) - 8.0)'),
        ),
    ],
    "learnt_tokens": [
        ("labels|learnt|all|pad", ("source[learnt][None]", "source[source != pad_id][None]")),
        ("document|text|number|begin", ("enumerate(row) for _ in ids]", "enumerate(row, 1) for _ in ids]")),
        ("learnt|padding|True|place", ("source.shape[1], False)", "source.shape[1], True)")),
        (
            "padding|document|every|place",
            ("source.shape[1], row[-1] + 1)", "source.shape[1], row[-1])"),
            ("before[:, :-1] = learnt[:, 1:]", "before[:, :-1] = True"),
        ),
    ],
}
