"""Grader: four bits, a scale and a minimum become the float32 that the file's author meant."""

import numpy as np
import torch

from lessons.exercises.diagnosis import assert_matches
from tests.reference.ggml_blocks import decode
from transformer.pretrained.gguf.blocks import FORMATS, decode_q4_1, in_half_bytes

COUNT = 3


def random_blocks():
    draw = np.random.default_rng(int(torch.randint(2**31, ())))
    blocks = np.zeros(COUNT, dtype=FORMATS[3].layout)
    blocks["d"], blocks["m"] = draw.uniform(0.01, 0.3, COUNT), draw.normal(size=COUNT)
    blocks["q"] = draw.integers(0, 256, (COUNT, 16))
    return blocks


def returned(answer, name):
    assert isinstance(answer, np.ndarray), f"kind: {name} gives a NumPy array, not a {type(answer).__name__}"
    return answer


def test_the_low_halves_of_all_bytes_come_first_then_the_high_ones():
    q = random_blocks()["q"]
    q[0, 0], q[0, 1] = 0xA3, 0x5C

    codes = returned(in_half_bytes(q), "in_half_bytes")

    low, high = q % 16, q // 16
    mistakes = {
        "the high halves come first: weight j is the low half of byte j": np.concatenate([high, low], axis=1),
        "a byte's two codes stand as neighbours: they are the weights j and j + 16": np.stack([low, high], 2).reshape(
            COUNT, 32
        ),
        "a byte's two codes stand as neighbours, and in the wrong order": np.stack([high, low], 2).reshape(COUNT, 32),
    }
    right = np.concatenate([low, high], axis=1)
    assert_matches(torch.tensor(codes), right, "block weight", name="the codes", mistakes=mistakes)


def test_each_code_times_the_scale_plus_the_minimum():
    blocks = random_blocks()
    d, m = (blocks[name].astype(np.float64)[:, None] for name in ("d", "m"))
    q = np.concatenate([blocks["q"] % 16, blocks["q"] // 16], axis=1)

    weights = returned(decode_q4_1(blocks), "decode_q4_1")

    mistakes = {
        "the minimum m is not added": d * q,
        "8 is taken off the codes: that is Q4_0, which has no minimum": d * (q - 8.0) + m,
        "the minimum is multiplied by the scale too": d * (q + m),
        "scale and minimum have changed places": m * q + d,
    }
    right = decode("Q4_1", blocks.tobytes()).reshape(COUNT, 32)
    assert_matches(
        torch.tensor(weights), right, "block weight", name="the weights", mistakes=mistakes, rtol=2e-3, atol=5e-3
    )


def test_every_bit_is_as_in_the_files_own_decoding():
    blocks = random_blocks()

    weights = returned(decode_q4_1(blocks), "decode_q4_1")

    assert weights.dtype == np.float32, f"dtype: the weights are float32, not {weights.dtype}: read d and m as float32"
    right = decode("Q4_1", blocks.tobytes()).reshape(COUNT, 32)
    differ = int((weights.view(np.int32) != right.view(np.int32)).sum())
    assert not differ, (
        f"value: {differ} of {right.size} weights differ in their last bits: d and m have 16 bits, read them as float32 "
        "first; then round the product to float32, and the sum once more"
    )
