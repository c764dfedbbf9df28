"""One row: a language model taught one task by one technique, measured before it or after.

python -m lessons.chat.comparing.row SETTING FOLDER NAME       as lessons/compare/row.py, whose processes run it
"""

import contextlib
import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lessons.chat.comparing.forgetting import forgetting, own_answers
from lessons.chat.comparing.items import items_of, scores_of, taught
from lessons.chat.model import ChatModel, open_model
from lessons.chat.smollm import smollm_file
from lessons.chat.training.conversations import texts_of
from lessons.chat.training.spelling import Item
from lessons.chat.training.tuning import COMPARED_TOKENS, fine_tune, open_tuned
from lessons.drawing.means import curve
from lessons.task.machine import best_device, peak_memory, set_threads
from lessons.task.parent import end_with_parent
from transformer.learning.formats import write_json
from transformer.learning.texts import Text

UNTUNED, THREADS = "base", 1


@dataclass(frozen=True)
class ChatSetting:
    """All that decides a row's numbers; `items`: so many test items of each of the spelling task's three kinds."""

    technique: str
    task: str
    seed: int
    steps: int
    learning_rate: float
    items: int
    model: str

    @property
    def method(self) -> str:
        """What tells this row from others of its seed."""
        return f"{self.task}-{self.technique}"

    @property
    def name(self) -> str:
        digest = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()
        return f"{self.method}-{self.seed}-{digest[:8]}"


def run_row(
    setting: ChatSetting, folder: Path, answers: Sequence[Text], on_step: Callable[[int, float], None]
) -> dict[str, Any]:
    """The row as report.json has it; the adapter goes into `folder`."""
    path, every = model_file(setting.model), items_of(setting.task)
    row: dict[str, Any] = {"method": setting.technique, "task": setting.task, "seed": setting.seed}
    if setting.technique == UNTUNED:
        chat = open_model(path, attention="fused")
        chat.model.to(best_device())
    else:
        chat = open_tuned(setting.technique, path, setting.seed)
        row |= trained(chat, taught(every, setting.task), setting, folder, on_step)
    return row | {"scores": scores_of(chat, every, setting.task, setting.items)} | forgetting(chat, answers)


def trained(
    chat: ChatModel, items: Sequence[Item], setting: ChatSetting, folder: Path, on_step: Callable[[int, float], None]
) -> dict[str, Any]:
    """Trains the adapter, saves it, and says what that took."""
    texts = texts_of(chat, [item.messages() for item in items])
    start, processor = time.perf_counter(), time.process_time()
    losses = fine_tune(
        chat,
        setting.technique,
        texts,
        setting.steps,
        setting.learning_rate,
        setting.seed,
        on_step=on_step,
        max_tokens=COMPARED_TOKENS,
    )
    spent = {"seconds": time.perf_counter() - start, "processor_seconds": time.process_time() - processor}
    memory = peak_memory()
    chat.model.save_pretrained(folder)
    count, whole = chat.model.get_nb_trainable_parameters()
    return spent | {
        "peak_memory_bytes": memory,
        "trainable_parameters": count,
        "trainable_percent": 100 * count / whole,
        "adapter_bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "learning_rate": setting.learning_rate,
        "loss_curve": curve(losses),
    }


def model_file(model: str) -> Path:
    """Of the model that is named, else SmolLM2's."""
    return Path(model) if model else smollm_file()


def main(arguments: list[str]) -> int:
    setting, folder, name = ChatSetting(**json.loads(arguments[0])), Path(arguments[1]), arguments[2]
    stdout = sys.stdout
    set_threads(THREADS)

    def on_step(step: int, loss: float) -> None:
        print(step, loss, file=stdout, flush=True)

    # Only steps may stand on stdout: whatever else is printed goes to the log.
    with contextlib.redirect_stdout(sys.stderr):
        answers = own_answers(folder, model_file(setting.model))
        row = run_row(setting, folder / "adapters" / f"{setting.method}-{setting.seed}", answers, on_step)
    write_json(folder / "rows" / f"{name}.json", row | {"setting": asdict(setting)})
    return 0


if __name__ == "__main__":
    end_with_parent()
    raise SystemExit(main(sys.argv[1:]))
