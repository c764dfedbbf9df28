"""Lesson 15: number formats and NF4."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="pack_nibbles",
        title="Two codes in a byte",
        topic="quantization",
        lesson=15,
        module="quant.packing",
        targets=("pack_nibbles", "unpack_nibbles"),
        difficulty=2,
        minutes=15,
        hints=(
            "byte = first · 16 + second. codes[0::2] are the first ones, codes[1::2] the second ones.",
            "With bits: (first << 4) | second, and back: packed >> 4 and packed & 15.",
            "An odd count gets one more code, the padding, before packing. Unpacking: stack both halves along a new last axis, "
            "flatten, and cut to the count.",
        ),
        wrong=(
            Wrong(
                "(codes[0::2] << 4) | codes[1::2]",
                "(codes[1::2] << 4) | codes[0::2]",
                "where it belongs into the high half",
            ),
            Wrong(
                "(codes[0::2] << 4) | codes[1::2]",
                "(codes[0::2] << 3) | codes[1::2]",
                "another number of bits than four",
            ),
            Wrong("(codes[0::2] << 4) | codes[1::2]", "codes[0::2] << 4", "only one of the two codes is kept"),
            Wrong("codes.new_tensor([padding])", "codes.new_tensor([0])", "the padding that was given is not used"),
            Wrong("[packed >> 4, packed & 15]", "[packed & 15, packed >> 4]", "the halves have changed places"),
            Wrong(".flatten()[:count]", ".flatten()", "shape: the codes: another shape is expected"),
            Wrong("codes.max() > 15", "codes.max() > 255", "a code above 15 is refused"),
        ),
    ),
    Exercise(
        name="normal_float",
        title="NF4's levels out of the normal distribution",
        topic="quantization",
        lesson=15,
        module="quant.codebooks",
        targets=("normal_float_codebook",),
        difficulty=4,
        minutes=30,
        hints=(
            "Quantiles of the normal distribution: torch.special.ndtri(p) is the number below which a share p of it lies.",
            "Positive side: levels // 2 quantiles from the outermost one down to 0.5, without 0.5 itself; negative side: one less, "
            "with a minus. Between them an exact 0. At the end divide by the largest, so that it becomes 1.",
            "For 16 levels outermost = 1 - (1/32 + 1/30) / 2; linspace(outermost, 0.5, 9)[:-1] and linspace(outermost, 0.5, 8)[:-1], "
            "in float64. In general 32 is 2 * levels, 30 is 2 * levels - 2, and 9 is levels // 2 + 1.",
        ),
        forbidden=("NF4_CODEBOOK", "CODEBOOKS"),
        wrong=(
            Wrong("levels // 2 + 1, dtype", "levels // 2, dtype", "shape: four bits name 16 levels, not (15,)"),
            Wrong("1 - (1 / (2 * levels) + 1 / (2 * levels - 2)) / 2", "1 - 1 / (2 * levels)", "value: the codebook"),
            Wrong("both / both.max()", "both", "the lowest level is -1"),
            Wrong(".sort().values", "", "the levels rise"),
            Wrong("-torch.special.ndtri", "torch.special.ndtri", "property: "),
        ),
    ),
    Exercise(
        name="block_scales",
        title="Neighbours share a scale",
        topic="quantization",
        lesson=15,
        module="quant.blockwise",
        targets=("in_blocks", "normalized"),
        difficulty=2,
        minutes=15,
        hints=(
            "in_blocks: one row for each block; the last one is filled up with zeros. -n % block_size is how many are missing.",
            'F.pad(line, (0, missing)), then rearrange "(blocks size) -> blocks size".',
            "normalized: every row divided by its own scale, scales[:, None]; a block of zeros has the scale 0, so clamp it to "
            "SMALLEST_SCALE first.",
        ),
        wrong=(
            Wrong(
                '"(blocks size) -> blocks size", size=block_size',
                '"(size blocks) -> blocks size", size=block_size',
                "value: the blocks",
            ),
            Wrong("F.pad(line, (0, missing))", "F.pad(line, (missing, 0))", "value: the blocks"),
            Wrong(
                "F.pad(line, (0, missing)) if missing else line",
                "line[: line.numel() // block_size * block_size]",
                "10 numbers make 3 blocks",
            ),
            Wrong("scales.clamp(min=SMALLEST_SCALE)", "scales", "a block of zeros stays zero"),
            Wrong("blocks * (1 / scales", "blocks * (scales", "it is multiplied by the scale"),
            Wrong("[:, None]", ".max()", "the smallest scale is used for all blocks"),
        ),
    ),
    Exercise(
        name="nearest_level",
        title="Which level is nearest? And back",
        topic="quantization",
        lesson=15,
        module="quant.blockwise",
        targets=("encode", "decode"),
        difficulty=3,
        minutes=25,
        after=("block_scales",),
        hints=(
            "encode: each block's scale is its largest |w|; normalized(blocks, scales) lies in [-1, 1], as the levels do. "
            "Which level has the smallest distance? decode: look up, and multiply by the scale.",
            "x[..., None] - levels are the distances to all 16 at once; argmin(dim=-1) takes the first of equal ones. A codebook "
            "need not be in order: sort it, so that the first is the lower, and remember which code each sorted level has.",
            "levels, code_of_level = codebook.sort(stable=True); codes = code_of_level[distances.argmin(dim=-1)] in uint8. "
            "Back: codebook[codes.int()] * scales[:, None].",
        ),
        forbidden=("encode_in_slices", "decode_in_slices"),
        wrong=(
            Wrong("blocks.abs().amax(dim=1)", "blocks.amax(dim=1)", "the largest weight, not the largest |w|"),
            Wrong("blocks.abs().amax(dim=1)", "blocks.abs().amax().expand(len(blocks))", "one scale for all blocks"),
            Wrong("normalized(blocks, scales)[..., None]", "blocks[..., None]", "not divided by their scale"),
            Wrong(" - levels).abs()", " - levels)", "the distance has a sign"),
            Wrong(
                "code_of_level[distances.argmin(dim=-1)]", "distances.argmin(dim=-1)", "ranks of the sorted codebook"
            ),
            Wrong("codebook.sort(stable=True)", "codebook, codebook.new_ones(16).cumsum(0) - 1", "the lower value"),
            Wrong("distances.argmin(dim=-1)", "15 - distances.flip(-1).argmin(dim=-1)", "the lower value"),
            Wrong(".byte(), scales", ", scales", "dtype: the codes"),
            Wrong(" * scales[:, None]", "", "the scale is not used"),
            Wrong("codebook[codes.int()]", "codes", "the code itself is multiplied"),
        ),
    ),
    Exercise(
        name="affine_int4",
        title="Sixteen levels between minimum and maximum",
        topic="quantization",
        lesson=15,
        module="quant.affine",
        targets=("quantize_affine", "dequantize_affine"),
        difficulty=3,
        minutes=30,
        after=("pack_nibbles", "block_scales"),
        hints=(
            "Each block has a minimum and a step: (maximum - minimum) / 15, because sixteen levels have fifteen steps between them.",
            "code = the position (w - minimum) / step, rounded, ties down: (position - 0.5).ceil(). A step of 0 must not be divided by.",
            "The short last block is filled with its own last weight before cutting into blocks (zeros would change its minimum), "
            "and cut off again after. Back: code · step + minimum, cut to the count, in shape and dtype of the weight.",
        ),
        wrong=(
            Wrong(
                "(blocks.amax(dim=1) - minimums) / 15",
                "(blocks.amax(dim=1) - minimums) / 16",
                "fifteen steps between them",
            ),
            Wrong("(blocks.amax(dim=1) - minimums) / 15", "blocks.amax(dim=1) / 15", "value: the weights after 4 bits"),
            Wrong("(positions - 0.5).ceil()", "positions.round()", "ties go to even numbers"),
            Wrong(" + quantized.minimums[:, None]", "", "the weights after 4 bits"),
            Wrong("line[-1:].expand(missing)", "line.new_zeros(missing)", "value: the weights after 4 bits"),
            Wrong(".to(quantized.dtype)", "", "dtype: float16 came in"),
        ),
        harmless=(
            "positions = (blocks - minimums[:, None]) / steps.where((steps >= 0), 1)[:, None]",
            "positions = (blocks - minimums[:, None]) / steps.where(steps > 0, (2))[:, None]",
            "codes = (positions - 0.5).ceil().clamp(0, (16)).to(torch.uint8)  # rounds a tie down",
        ),
    ),
    Exercise(
        name="double_quantization",
        title="The scales in eight bits",
        topic="quantization",
        lesson=15,
        module="quant.double_quant",
        targets=("compress_scales", "CompressedScales.expand"),
        difficulty=3,
        minutes=30,
        after=("block_scales",),
        hints=(
            "Take the mean off, cut into groups of 256 (in_groups), divide each group by its largest deviation.",
            "Each number becomes the nearest of the 256 levels of DYNAMIC_MAP: torch.bucketize over the middles between levels.",
            "expand: DYNAMIC_MAP[code] · absmax of the group + mean, flattened and cut to the number of scales, never below 0. "
            "The constants are the mean and then every group's absmax.",
        ),
        wrong=(
            Wrong("in_groups(scales - mean)", "in_groups(scales)", "the mean is not taken off"),
            Wrong("groups.abs().amax(dim=1)", "groups.abs().amax().expand(groups.shape[0])", "the largest deviations"),
            Wrong(" + self.mean", "", "the scales after 8 bits"),
            Wrong(".clamp(min=0)", "", "a negative scale turns its block's signs around"),
            Wrong("(levels[:-1] + levels[1:]) / 2", "levels[:-1]", "the scales after 8 bits"),
            Wrong(
                ".flatten()[: scales.numel()].to(torch.uint8)", ".flatten().to(torch.uint8)", "one byte for each scale"
            ),
        ),
        harmless=(
            "normalized = groups / absmax.where((absmax >= 0), 1)[:, None]",
            "normalized = groups / absmax.where(absmax > 0, (2))[:, None]",
        ),
    ),
]
