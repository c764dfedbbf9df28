"""Trained on four bits, merged, and worse than in training: the exported matrices, the base in four bits, the update."""

from collections.abc import Mapping

from torch import Tensor, tensor

from lessons.clinic.patients.patient import Patient, Run
from lessons.clinic.patients.ward import Matrices, Ward
from lessons.clinic.repairs import four_bit_merge as repair
from lessons.clinic.updates import updates_of, weights
from quant import CODEBOOKS, QuantizedTensor, dequantize_4bit, quantize_4bit

Bits = Mapping[str, QuantizedTensor]


def admit(ward: Ward) -> Run:
    """The update was written into the published matrices; it was learnt beside their four bits."""
    model = ward.tuned()
    published = weights(model)
    update = updates_of(model, published)
    codebook = CODEBOOKS[str(ward.draw("nf4", "fp4", "int4"))]
    bits = {path: quantize_4bit(matrix, codebook, int(ward.draw(32, 64))) for path, matrix in published.items()}
    exported = {path: published[path] + update[path] if path in update else published[path] for path in published}
    return {"exported": exported, "quantized": bits, "update": update}


def as_found(exported: Matrices, quantized: Bits, update: Matrices) -> tuple[float, Matrices]:
    return 0.0, exported  # W + ΔW, as for every LoRA


def treat(exported: Matrices, quantized: Bits, update: Matrices) -> tuple[float, Matrices]:
    return repair.rest(exported, quantized, update), repair.merged(quantized, update)


def examine(ward: Ward, run: Run, result: tuple[float, Matrices]) -> dict[str, Tensor]:
    rest, matrices = result
    learnt = {path: dequantize_4bit(bits) for path, bits in run["quantized"].items()}
    right = {path: matrix + run["update"][path] if path in run["update"] else matrix for path, matrix in learnt.items()}
    apart = [(matrices[path] - right[path]).abs().max() for path in right if path in matrices]
    return {
        "the rest beside the update, as it is said to be": tensor(rest),
        "the number of matrices": tensor(len(matrices)),
        "the largest difference from what was trained": max(apart, default=tensor(0.0)),
        "nats per token, in training": ward.nats_with(right),
        "nats per token, merged": ward.nats_with(matrices),
    }


PATIENT = Patient(
    "four_bit_merge", "merged-into-other-weights", "QLoRA, merged into the published model. In training it was better.",
    admit, as_found, treat, examine,
    hidden=("the largest difference from what was trained",),
)  # fmt: skip
