"""Runs in the second environment: quantizes the weights of a folder with bitsandbytes and writes down what came out.

    python -I bitsandbytes_runner.py FOLDER     reads job.json and weights.safetensors, writes answers.safetensors

`functional` is called directly: on some processors its Linear4bit repacks the weight in its first evaluation, and
then computes with other numbers.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import torch
from bitsandbytes import functional
from safetensors.torch import load_file, save_file


def answer(weight, job):
    codes, state = functional.quantize_4bit(
        weight, blocksize=job["block_size"], quant_type=job["format"], compress_statistics=job["double_quant"]
    )
    found = {"codes": codes.flatten()}
    found["weight"] = functional.dequantize_4bit(codes, state).reshape(weight.shape)
    if job["double_quant"]:
        scales = functional.dequantize_blockwise(state.absmax, state.state2) + state.offset
        found |= {"scales": scales, "mean": state.offset, "absmax": state.state2.absmax, "map": state.state2.code}
    else:
        found["scales"] = state.absmax
    return found


def timings(job):
    """Median seconds of quantizing and restoring one square matrix."""
    torch.set_num_threads(job["threads"])
    weight = torch.randn(job["size"], job["size"]).to(getattr(torch, job["dtype"]))
    quantize = lambda: functional.quantize_4bit(weight, blocksize=64, quant_type="nf4")  # noqa: E731
    codes, state = quantize()
    return {"quantize": median(quantize), "dequantize": median(lambda: functional.dequantize_4bit(codes, state))}


def median(function, repeats=5):
    function()
    seconds = []
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    for _ in range(repeats):
        start = clock()
        function()
        seconds.append(clock() - start)
    return statistics.median(seconds)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    if isinstance(job, dict):
        (folder / "timings.json").write_text(json.dumps(timings(job)), encoding="utf-8")
    else:
        weights = load_file(folder / "weights.safetensors")
        answers = {
            f"{one['name']}/{key}": tensor.contiguous().clone()
            for one in job
            for key, tensor in answer(weights[one["weight"]], one).items()
        }
        save_file(answers, folder / "answers.safetensors")
