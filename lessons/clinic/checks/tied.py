"""Is the head still tied to the embedding, where the config says so?"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run

TABLES = ("embed_tokens", "wte", "word_embeddings", "shared")
"""What models of transformers call the matrix of tokens."""


def check(run: Run) -> Iterator[Measurement]:
    settings = run.settings
    tied = getattr(settings, "tie_word_embeddings" if run.theirs else "tie_embeddings", False)
    found = {path.rsplit(".", 1)[-1]: module for path, module in run.modules.items()}
    head = found.get("lm_head" if run.theirs else "output")
    names = TABLES if run.theirs else ("source_embedding",)
    table = next((found[name] for name in names if name in found), None)
    if not tied or head is None or table is None:
        return
    one, other = head.weight, table.weight  # the sum of both is what training moved
    apart = 0.0 if one is other else float((one.detach() - other.detach()).abs().max())
    says = f"embedding and head, tied by the config, differ by up to {apart:.2g}"
    yield Measurement("head-untied", apart, says, apart > 0)
