"""Four bits against bitsandbytes on the CPU: bit for bit, except where its own look-up table is only nearly exact."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from quant import FP4_CODEBOOK, NF4_CODEBOOK, dequantize_4bit, dynamic_map, quantize_4bit

pytestmark = pytest.mark.parity

CODEBOOKS = {"nf4": NF4_CODEBOOK, "fp4": FP4_CODEBOOK}
WEIGHTS = {
    "matrix": torch.randn(96, 320, generator=torch.Generator().manual_seed(0)),
    "large": torch.randn(1024, 1024, generator=torch.Generator().manual_seed(1)),
    "short block": torch.randn(3, 50, generator=torch.Generator().manual_seed(2)),
    "odd": torch.randn(7, 11, generator=torch.Generator().manual_seed(3)),
    "zeros": torch.zeros(4, 64),
    "levels": torch.linspace(-1, 1, 64)[None],
    "bfloat16": torch.randn(64, 128, generator=torch.Generator().manual_seed(4)).bfloat16(),
    "float16": torch.randn(64, 128, generator=torch.Generator().manual_seed(5)).half(),
}
JOBS = [
    {
        "name": f"{weight}/{format}/{block_size}/{double_quant}",
        "weight": weight,
        "format": format,
        "block_size": block_size,
        "double_quant": double_quant,
    }
    for weight in WEIGHTS
    for format in CODEBOOKS
    for block_size in (64, 256)
    for double_quant in (False, True)
]


@pytest.fixture(scope="module")
def answers(second_python, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bitsandbytes")
    save_file(WEIGHTS, folder / "weights.safetensors")
    return load_file(second_python("bitsandbytes", JOBS, folder) / "answers.safetensors")


def ours(job):
    return quantize_4bit(WEIGHTS[job["weight"]], CODEBOOKS[job["format"]], job["block_size"], job["double_quant"])


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job["name"])
def test_codes_are_equal(answers, job):
    assert torch.equal(ours(job).codes, answers[f"{job['name']}/codes"])


@pytest.mark.parametrize("job", [job for job in JOBS if not job["double_quant"]], ids=lambda job: job["name"])
def test_scales_are_equal(answers, job):
    """Where a block is all zeros and short, its own scale is 1e-38 instead of 0."""
    torch.testing.assert_close(ours(job).scales, answers[f"{job['name']}/scales"], rtol=0, atol=1e-37)


@pytest.mark.parametrize("job", [job for job in JOBS if not job["double_quant"]], ids=lambda job: job["name"])
def test_restored_weights_are_equal_where_a_row_is_whole_blocks(answers, job, row):
    """Elsewhere its kernel for the CPU takes another block's scale: further from the weight than ours ever is."""
    weight, theirs = WEIGHTS[job["weight"]], answers[f"{job['name']}/weight"]
    restored = dequantize_4bit(ours(job))
    if torch.equal(restored, theirs):
        row(f"{job['format']} {job['weight']}, blocks of {job['block_size']}", "quantize and restore", "equal")
    else:
        assert weight.shape[-1] % job["block_size"] != 0
        assert (restored - weight).abs().mean() < 0.9 * (theirs - weight).abs().mean()


@pytest.mark.parametrize("job", [job for job in JOBS if job["double_quant"]], ids=lambda job: job["name"])
def test_doubly_quantized_scales_agree_but_for_the_nearest_of_two_levels(answers, job):
    """bitsandbytes finds the level through a table of 65,536 bins: a few in a thousand are the neighbour's."""
    scales, stored = ours(job).scales, ours(job).stored_scales
    theirs = answers[f"{job['name']}/scales"]

    assert torch.equal(dynamic_map(), answers[f"{job['name']}/map"])
    torch.testing.assert_close(stored.mean, answers[f"{job['name']}/mean"], rtol=1e-6, atol=1e-38)
    torch.testing.assert_close(stored.absmax, answers[f"{job['name']}/absmax"], rtol=1e-5, atol=1e-6)
    widest_gap = dynamic_map().diff().max() * stored.absmax.max()
    torch.testing.assert_close(scales, theirs, rtol=0, atol=widest_gap.item() + 1e-6)
    assert ((scales - theirs).abs() > 1e-5 * scales.abs() + 1e-6).float().mean() <= 0.01
