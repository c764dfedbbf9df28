"""One row: a language model taught British spelling by one technique, measured before it or after.

python -m lessons.chat.comparing.row SETTING FOLDER NAME       as lessons/compare/row.py, whose processes run it
"""

import contextlib
import hashlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lessons.chat.model import open_model
from lessons.chat.smollm import smollm_file
from lessons.chat.training.conversations import texts_of
from lessons.chat.training.measures import nats, spelling_scores
from lessons.chat.training.spelling import Item, balanced, spelling_items
from lessons.chat.training.tuning import fine_tune, open_tuned
from lessons.data.feedback import load_ratings
from lessons.drawing.means import curve
from lessons.task.machine import best_device, peak_memory, set_threads
from lessons.task.parent import end_with_parent
from transformer.learning.checkpoint import write_json

UNTUNED = "base"
ENGLISH = (
    "The lighthouse stood at the end of a narrow path, and in winter the waves reached its lowest windows. Nobody had "
    "lived there since the lamp was made to turn by itself, but the door was painted every spring.",
    "Bread rises because yeast turns sugar into gas, and the dough is elastic enough to hold it. If it is left too long, "
    "the bubbles become so large that they break, and the loaf falls together in the oven.",
)
"""Plain English that is no task, and was written for this file."""


@dataclass(frozen=True)
class ChatSetting:
    """All that decides a row's numbers; `items`: at most so many test items of each kind, None: all there are."""

    method: str
    seed: int
    steps: int
    learning_rate: float
    items: int | None
    model: str

    @property
    def name(self) -> str:
        digest = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()
        return f"{self.method}-{self.seed}-{digest[:8]}"


def held_out(every: list[Item], limit: int | None) -> list[Item]:
    """The first test items of each kind; of those with nothing to change a hundred, where there is no limit."""
    of_kind: dict[str, list[Item]] = {}
    for item in balanced(every, "test", unchanged=100):
        of_kind.setdefault(item.kind, []).append(item)
    return [item for items in of_kind.values() for item in items[:limit]]


def run_row(setting: ChatSetting, folder: Path, on_step: Callable[[int, float], None]) -> dict[str, Any]:
    """The row as report.json has it."""
    path = Path(setting.model) if setting.model else smollm_file()
    every = spelling_items(one.text for rated in load_ratings().values() for one in rated)
    row: dict[str, Any] = {"method": setting.method, "seed": setting.seed}
    if setting.method == UNTUNED:
        chat = open_model(path, attention="fused")
        chat.model.to(best_device())
    else:
        chat = open_tuned(setting.method, path, setting.seed)
        texts = texts_of(chat, [item.messages() for item in balanced(every, "train", unchanged=80)])
        start = time.perf_counter()
        losses = fine_tune(
            chat, setting.method, texts, setting.steps, setting.learning_rate, setting.seed, on_step=on_step
        )
        row |= {"seconds": time.perf_counter() - start, "peak_memory_bytes": peak_memory()}
        chat.model.save_pretrained(folder)
        trained, whole = chat.model.get_nb_trainable_parameters()
        row |= {
            "trainable_parameters": trained,
            "trainable_percent": 100 * trained / whole,
            "adapter_bytes": sum(file.stat().st_size for file in folder.iterdir()),
            "learning_rate": setting.learning_rate,
            "loss_curve": curve(losses),
        }
    return row | {
        "spelling": spelling_scores(chat, held_out(every, setting.items)),
        "english_nats": nats(chat, ENGLISH),
    }


def main(arguments: list[str]) -> int:
    setting, folder, name = ChatSetting(**json.loads(arguments[0])), Path(arguments[1]), arguments[2]
    stdout = sys.stdout
    set_threads(1)

    def on_step(step: int, loss: float) -> None:
        print(step, loss, file=stdout, flush=True)

    # Only steps may stand on stdout: whatever else is printed goes to the log.
    with contextlib.redirect_stdout(sys.stderr):
        row = run_row(setting, folder / "adapters" / f"{setting.method}-{setting.seed}", on_step)
    write_json(folder / "rows" / f"{name}.json", row | {"setting": asdict(setting)})
    return 0


if __name__ == "__main__":
    end_with_parent()
    raise SystemExit(main(sys.argv[1:]))
