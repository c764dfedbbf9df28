"""Are the four bits those of the base, rounded once?"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run
from lessons.clinic.updates import weights
from quant import Linear4bit, dequantize_4bit, quantize_4bit

MOST = 0.02


def check(run: Run) -> Iterator[Measurement]:
    if run.base is None or run.folder is not None:
        return
    before, worst, where = weights(run.base), 0.0, ""
    layers = {path: m for path, m in run.modules.items() if isinstance(m, Linear4bit) and path in before}
    if not layers or any(isinstance(module, Linear4bit) for module in run.base.modules()):
        return
    for path, layer in layers.items():
        settings = {name: value for name, value in layer.settings.items() if name != "compute_dtype"}
        once = dequantize_4bit(quantize_4bit(before[path], **settings))
        share = float(((layer.dequantized() - once).abs() > 0.25 * once.std()).float().mean())
        worst, where = max((worst, where), (share, path))
    says = f"{worst:.1%} of the numbers of a layer are not those of the base, rounded once"
    yield Measurement("quantized-twice", worst, says, worst > MOST, where)
