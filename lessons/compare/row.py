"""One row of the comparison, in a process of its own: fine-tune, measure, evaluate, write one JSON file.

    python -m lessons.compare.row SETTING FOLDER NAME       SETTING: a RowSetting as JSON, NAME: the row's file

A process of its own makes the peak memory that row's alone, and a crash that row's alone. It writes "step loss" on
stdout, one line a step, and its file only when everything is done.
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

from torch import nn

from lessons.drawing.means import curve
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, words
from lessons.task.finetuning import adapter_config, fine_tune, from_scratch, prepared_base
from lessons.task.machine import peak_memory, set_threads
from lessons.task.parent import end_with_parent
from lessons.task.scoring import predict, score
from lessons.task.techniques import SCRATCH, import_techniques
from peft import PeftModel, recipe
from peft.recipes import as_it_is
from transformer import Transformer, save_model
from transformer.learning.formats import write_json

UNTUNED = "base"
"""The row of the base itself, before any fine-tuning."""


@dataclass(frozen=True)
class RowSetting:
    """All that decides a row's numbers.

    `test_words`   None: all there are
    `base`         the hash of the base's weights
    `modules`      what is imported first: techniques from outside
    """

    method: str
    seed: int
    steps: int
    learning_rate: float
    test_words: int | None
    train_words: int
    base: str
    modules: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The row's file name: rows of another setting have another, and are never taken for this one."""
        technique = "" if self.method in (UNTUNED, SCRATCH) else repr(adapter_config(self.method))
        digest = hashlib.sha256((json.dumps(asdict(self)) + technique).encode()).hexdigest()
        return f"{self.method}-{self.seed}-{digest[:8]}"


def run_row(setting: RowSetting, folder: Path, on_step: Callable[[int, float], None] | None = None) -> dict[str, Any]:
    """The row as report.json has it, and what the page needs besides: what was said."""
    test = {accent: words(accent, "test", setting.test_words) for accent in ("american", "british")}
    row: dict[str, Any] = {"method": setting.method, "seed": setting.seed}
    if setting.method == UNTUNED:
        return row | said_and_wrong(load_base(), test)
    taught = fine_tuning_words("british", setting.train_words)
    learning: dict[str, Any] = {"steps": setting.steps, "learning_rate": setting.learning_rate, "seed": setting.seed}
    before, start = peak_memory(), time.perf_counter()
    model: Transformer | PeftModel
    if setting.method == SCRATCH:
        model, losses = from_scratch(taught, **learning, on_step=on_step)
    else:
        model, losses = fine_tune(setting.method, taught, **learning, on_step=on_step)
    row |= {"seconds": time.perf_counter() - start, "peak_memory_bytes": peak_memory()}
    row["memory_before_bytes"] = before
    keep(model, folder)
    row |= {
        **size(model),
        "adapter_bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "learning_rate": setting.learning_rate,
        "loss_curve": curve(losses),
        **said_and_wrong(model, test),
        "american_disabled": None,
    }
    if isinstance(model, PeftModel):
        with model.disable_adapter():
            row["american_disabled"] = error(predict(model, test["american"]), "american")
        if recipe(setting.method).prepare is not as_it_is:
            base = prepared_base(setting.method, load_base())
            row |= {f"base_{accent}": error(predict(base, test[accent]), accent) for accent in test}
    return row


def keep(model: Transformer | PeftModel, folder: Path) -> None:
    if isinstance(model, PeftModel):
        model.save_pretrained(folder)
    else:
        save_model(model, folder)


def size(model: nn.Module) -> dict[str, Any]:
    """What is trained. `trained_rows`: how much of it are the embeddings of symbols that pretraining never saw."""
    if isinstance(model, PeftModel):
        trainable, every = model.get_nb_trainable_parameters()
        adapter: Any = model.adapters["default"]
        rows = sum(tensor.numel() for tensor in adapter.token_rows().values())
    else:
        trainable = every = sum(parameter.numel() for parameter in model.parameters())
        rows = 0
    return {
        "trainable_parameters": trainable,
        "trainable_percent": 100 * trainable / every,
        "trained_rows": rows,
    }


def said_and_wrong(model: nn.Module, test: dict[str, list[str]]) -> dict[str, Any]:
    """What the model says of the British words, and its errors in both accents."""
    said = {accent: predict(model, chosen) for accent, chosen in test.items()}
    return {accent: error(said[accent], accent) for accent in said} | {"said": said["british"]}


def error(said: dict[str, str], accent: str) -> dict[str, float]:
    measured = score(said, accent)
    return {"phoneme_error": measured.phoneme_error, "word_error": measured.word_error}


def main(arguments: list[str]) -> int:
    setting, folder, name = RowSetting(**json.loads(arguments[0])), Path(arguments[1]), arguments[2]
    stdout = sys.stdout
    set_threads(1)
    import_techniques(setting.modules)

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
