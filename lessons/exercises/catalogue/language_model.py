"""Lesson 29: the blocks of today's language models."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="rms_norm",
        title="Every vector to a mean square of 1",
        topic="language_model",
        lesson=29,
        module="transformer.add_norm",
        targets=("RMSNorm.forward",),
        difficulty=1,
        minutes=8,
        after=("layer_norm",),
        hints=(
            "It is LayerNorm without two of its parts: no mean is taken off, and no bias is added.",
            "The mean of the squares over the last axis, keepdim=True; x divided by the root of it; times the gain.",
            "weight · x / √(mean(x²) + eps), with ε under the root.",
        ),
        forbidden=("rms_norm", "_fused_rms_norm", "nn.RMSNorm"),
        wrong=(
            Wrong(
                "x.square().mean(dim=-1, keepdim=True)", "x.var(dim=-1, keepdim=True, unbiased=False)", "the variance"
            ),
            Wrong(
                "x.square().mean(dim=-1, keepdim=True)",
                "x.square().sum(dim=-1, keepdim=True)",
                "the sum of the squares",
            ),
            Wrong("x.square().mean(dim=-1, keepdim=True)", "x.square().mean()", "the whole tensor"),
            Wrong(
                "torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + self.eps)",
                "1 / (x.square().mean(dim=-1, keepdim=True).sqrt() + self.eps)",
                "outside the root",
            ),
            Wrong(" + self.eps", "", "ε is missing"),
            Wrong("torch.rsqrt(", "1 / (", "by the mean square, not by its root"),
            Wrong("self.weight * (x", "1 * (x", "the gain `weight` is missing"),
            Wrong(
                "x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + self.eps)",
                "x.mul_(torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + self.eps))",
                "x was changed in place",
            ),
        ),
    ),
    Exercise(
        name="rotary",
        title="A position is an angle",
        topic="language_model",
        lesson=29,
        module="transformer.rotary",
        targets=("frequencies", "turned", "rotation"),
        difficulty=3,
        minutes=30,
        after=("sinusoidal_positional_encoding", "multi_head_attention"),
        hints=(
            "The frequencies are those of the paper's sines, with d_head for d_model. The first half of a head's features are "
            "the first numbers of all pairs, the second half the second ones.",
            "frequencies: base ** (-even / d_head), even = 0, 2, 4, ... in float64, then slowed(theta, config). turned: "
            "x.chunk(2, dim=-1), and torch.cat of the two new halves. A number of the first half becomes "
            "first · cos - second · sin.",
            "rotation: places[:, None, :, None] * frequencies are the angles, (batch, 1, time, half_d_head), the same for all "
            "heads. It returns a function: functools.partial(turned, cosine=..., sine=...).",
        ),
        wrong=(
            Wrong("first * cosine - second * sine", "first * cosine + second * sine", "the other way round"),
            Wrong(
                "first * cosine - second * sine, second * cosine + first * sine",
                "first * cosine + second * sine, second * cosine - first * sine",
                "the other way round",
            ),
            Wrong(
                "first, second = x.chunk(2, dim=-1)\n    return torch.cat([first * cosine - second * sine, second * cosine "
                "+ first * sine], dim=-1)",
                "first, second = x[..., 0::2], x[..., 1::2]\n    return torch.stack([first * cosine - second * sine, second * "
                "cosine + first * sine], dim=-1).flatten(-2)",
                "neighbours",
            ),
            Wrong("/ config.d_head)", "/ config.d_model)", "d_model"),
            Wrong("torch.arange(0, config.d_head, 2,", "torch.arange(0, config.d_head // 2,", "the exponent is halved"),
            Wrong("config.rope_base **", "10000.0 **", "rope_base"),
            Wrong("return slowed(theta, config)", "return theta", "slowed"),
            Wrong("(-torch.arange", "(torch.arange", "multiplied"),
            Wrong("places[:, None, :, None]", "(places[:, None, :, None] + 1)", "begin at 1"),
            Wrong(
                "places[:, None, :, None] * frequencies(config)",
                "places[:, None, :, None].float() * frequencies(config).float()",
                "float64",
            ),
            Wrong("places[:, None, :, None]", "torch.arange(places.shape[1])[None, None, :, None]", "`places`"),
        ),
    ),
    Exercise(
        name="slowed_rotary",
        title="A longer context: slow pairs turn more slowly",
        topic="language_model",
        lesson=29,
        module="transformer.rotary",
        targets=("slowed",),
        difficulty=2,
        minutes=15,
        after=("rotary",),
        hints=(
            "How often did a pair turn within the original length? 2π is one turn.",
            "s = (turns - low) / (high - low), cut to [0, 1]: 1 where the pair stays as it is, 0 where it is slowed wholly.",
            "theta * ((1 - s) / factor + s)",
        ),
        wrong=(
            Wrong("config.rope_original_length * theta / (2 * math.pi)", "config.rope_original_length * theta", "2π"),
            Wrong("config.rope_original_length * theta / (2 * math.pi)", "2 * math.pi / theta", "wavelength"),
            Wrong(".clamp(0, 1)", "", "cut to [0, 1]"),
            Wrong(
                "(1 - stays) / config.rope_factor + stays", "stays / config.rope_factor + (1 - stays)", "the fast pairs"
            ),
            Wrong("((1 - stays) / config.rope_factor + stays)", "1 / config.rope_factor", "all pairs"),
            Wrong("(1 - stays) / config.rope_factor", "(1 - stays) * config.rope_factor", "faster"),
        ),
    ),
    Exercise(
        name="grouped_heads",
        title="Heads of queries share keys and values",
        topic="language_model",
        lesson=29,
        module="transformer.attention",
        targets=("for_every_query",),
        difficulty=1,
        minutes=8,
        after=("split_heads",),
        hints=(
            "Neighbours share: of six heads of queries and two of keys, the first three take the first.",
            "Each head is repeated num_heads / kv_heads times in a row, along axis 1.",
            "torch has two functions that repeat. One copies the whole (0 1 0 1), the other each entry (0 0 1 1).",
        ),
        wrong=(
            Wrong(
                "shared.repeat_interleave(num_heads // shared.shape[1], dim=1)",
                "shared.repeat(1, num_heads // shared.shape[1], 1, 1)",
                "take turns",
            ),
            Wrong("num_heads // shared.shape[1], dim=1)", "num_heads, dim=1)", "shape"),
            Wrong("num_heads // shared.shape[1], dim=1)", "num_heads // shared.shape[1], dim=2)", "shape"),
            Wrong(
                "shared.repeat_interleave(num_heads // shared.shape[1], dim=1)",
                "shared[:, :1].expand(-1, num_heads, -1, -1)",
                "the first head",
            ),
            Wrong(
                "shared.repeat_interleave(num_heads // shared.shape[1], dim=1)",
                "shared.flip(1).repeat_interleave(num_heads // shared.shape[1], dim=1)",
                "order",
            ),
        ),
    ),
    Exercise(
        name="gated_feed_forward",
        title="A gate decides what passes",
        topic="language_model",
        lesson=29,
        module="transformer.feed_forward",
        targets=("GatedFeedForward.forward",),
        difficulty=1,
        minutes=8,
        after=("feed_forward",),
        hints=(
            "Two matrices read x: fc1 makes the gate, fc3 what passes it. The non-linearity is on the gate alone.",
            "ACTIVATIONS[self.activation](self.fc1(x)) and self.fc3(x), number by number; fc2 brings the product back.",
        ),
        wrong=(
            Wrong(" * self.fc3(x)", "", "fc3"),
            Wrong(" * self.fc3(x)", " + self.fc3(x)", "added"),
            Wrong(
                "ACTIVATIONS[self.activation](self.fc1(x)) * self.fc3(x)",
                "self.fc1(x) * ACTIVATIONS[self.activation](self.fc3(x))",
                "changed places",
            ),
            Wrong(
                "ACTIVATIONS[self.activation](self.fc1(x)) * self.fc3(x)",
                "ACTIVATIONS[self.activation](self.fc1(x) * self.fc3(x))",
                "on the product",
            ),
            Wrong("ACTIVATIONS[self.activation](self.fc1(x))", "self.fc1(x)", "the activation is missing"),
            Wrong("ACTIVATIONS[self.activation](self.fc1(x))", "self.fc1(x).sigmoid()", "sigmoid"),
            Wrong("ACTIVATIONS[self.activation]", "ACTIVATIONS['silu']", "whatever was asked for"),
        ),
    ),
    Exercise(
        name="q4_1",
        title="Read the weights of a language model's file",
        topic="language_model",
        lesson=29,
        module="transformer.pretrained.gguf.blocks",
        targets=("in_half_bytes", "decode_q4_1"),
        difficulty=2,
        minutes=15,
        after=("pack_nibbles",),
        hints=(
            "A byte holds two codes. `q & 15` is its low half, `q >> 4` its high half.",
            "Byte j's low half is weight j and its high half weight j + 16: all the low halves come first.",
            'np.concatenate([low, high], axis=1); then in_float32(d) * codes + in_float32(m). blocks["d"] is a column of '
            "16-bit numbers.",
        ),
        forbidden=("decoded_rows", "decode_q4", "dequantize"),
        wrong=(
            Wrong("[q & 15, q >> 4]", "[q >> 4, q & 15]", "low half"),
            Wrong(
                "np.concatenate([q & 15, q >> 4], axis=1)",
                "np.stack([q & 15, q >> 4], axis=2).reshape(len(q), 32)",
                "neighbours",
            ),
            Wrong(' + in_float32(blocks["m"])', "", "the minimum m"),
            Wrong('in_half_bytes(blocks["q"])', '(in_half_bytes(blocks["q"]) - 8.0)', "Q4_0"),
            Wrong('in_float32(blocks["d"]) * in_half', 'blocks["d"][:, None] * in_half', "16 bits"),
            Wrong(
                'in_float32(blocks["d"]) * in_half_bytes(blocks["q"]) + in_float32(blocks["m"])',
                'in_float32(blocks["d"]) * (in_half_bytes(blocks["q"]) + in_float32(blocks["m"]))',
                "multiplied by the scale too",
            ),
        ),
    ),
]
