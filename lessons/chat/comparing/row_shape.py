"""What report, table and figures read of a row (row.py): a kept one that lacks it is refused."""

from typing import Any

from lessons.chat.comparing.row import UNTUNED
from lessons.compare.kept_rows import ANY, NUMBER

BASE_ROW = {
    "method": str,
    "task": str,
    "seed": int,
    "scores": {ANY: {ANY: NUMBER}},
    "english_nats": NUMBER,
    "chat_nats": NUMBER,
}
ROW = BASE_ROW | {
    "trainable_parameters": int,
    "adapter_bytes": int,
    "processor_seconds": NUMBER,
    "peak_memory_bytes": int,
    "learning_rate": NUMBER,
}


def shape_of(technique: str) -> dict[str, Any]:
    """Of a row of this technique."""
    return BASE_ROW if technique == UNTUNED else ROW
