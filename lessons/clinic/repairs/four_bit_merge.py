"""Patient: trained on four bits, merged, and worse than it was in training."""

from collections.abc import Mapping

from torch import Tensor

from quant import QuantizedTensor, dequantize_4bit


def rest(
    exported: Mapping[str, Tensor], quantized: Mapping[str, QuantizedTensor], update: Mapping[str, Tensor]
) -> float:
    """How long what stands beside the update is, measured by the update: ‖W' - Ŵ - ΔW‖ / ‖ΔW‖ over all matrices together.

    `exported`    W', the matrices of the merged model by path
    `quantized`   the base as the adapter knew it, in four bits; dequantized it is Ŵ
    `update`      ΔW of every matrix that the adapter changes

    What is measured: a Python float; 0 for a merge into the matrices that the update was learnt beside.
    """
    beside = sum(
        float((exported[path] - dequantize_4bit(quantized[path]) - delta).square().sum())
        for path, delta in update.items()
    )
    return (beside / sum(float(delta.square().sum()) for delta in update.values())) ** 0.5


def merged(quantized: Mapping[str, QuantizedTensor], update: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The merged matrices, not in four bits, for every path of `quantized`; one without an update stays as it is.

    What is measured after the repair: a rest of 0, and the losses that were measured in training.
    """
    matrices = {path: dequantize_4bit(bits) for path, bits in quantized.items()}
    return {path: matrix + update[path] if path in update else matrix for path, matrix in matrices.items()}
