"""The doctor: what is installed here, and is it whole? Exit code 0 when everything is in order, 1 when something is not."""

import os
import platform
import sys
import warnings
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from lessons.clinic.folder import CHECKS as FOLDER_CHECKS
from lessons.install.own_peft import find_peft, require_own_peft
from lessons.install.packages import PACKAGES
from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.language.words import say, tell
from lessons.language.wrapping import padded
from lessons.task.base import base_folder, load_base
from lessons.task.dictionary import ACCENTS, load, words
from lessons.task.machine import best_device, bf16_pays, set_threads
from lessons.task.scoring import evaluate
from transformer.learning.formats import read_json, read_tensors

OLDEST_PYTHON = (3, 11)
# The base is wrong on about a quarter of held-out words; one whose weights were hurt, on nearly all.
PROBE_WORDS, HIGHEST_PROBE_ERROR = 100, 0.5


def python() -> str:
    if sys.version_info < OLDEST_PYTHON:
        raise ValueError(
            f"{platform.python_version()} is too old: Python {'.'.join(map(str, OLDEST_PYTHON))} is needed"
        )
    return tell("{version} at {place}", version=platform.python_version(), place=sys.executable)


def packages() -> str:
    found = {name: next((d.version for d in metadata.distributions(name=name)), None) for name in PACKAGES}
    if missing := [name for name, version in found.items() if version is None]:
        raise ImportError(f"{', '.join(missing)} missing: pip install {' '.join(missing)}")
    return ", ".join(f"{name} {version}" for name, version in found.items())


def machine() -> str:
    threads, device = set_threads(), best_device()
    bf16 = say("bf16 in hardware") if bf16_pays(device) else say("no bf16 in hardware, training runs in fp32")
    from_where = say("one for each core; FT_THREADS sets another number")
    named = say("from FT_THREADS") if os.environ.get("FT_THREADS") else from_where
    kind = f"{platform.system()} {platform.machine()}, {device}"
    return tell("{kind}, {bf16}, {threads} threads ({named})", kind=kind, bf16=bf16, threads=threads, named=named)


def own_peft() -> str:
    require_own_peft()
    other = [found.version for found in metadata.distributions(name="peft")]
    ours = tell("the hand-written one, {file}", file=find_peft())
    if not other:
        return ours
    return tell(
        "{ours}; Hugging Face PEFT {version} is installed beside it and hidden in this process",
        ours=ours,
        version=other[0],
    )


def data() -> str:
    counts = [tell("{accent} {count} words", accent=say(name), count=f"{len(load(name)):,}") for name in ACCENTS]
    return tell("{counts}; every hash is right", counts=", ".join(counts))


def base() -> str:
    model = load_base()
    chosen = words("american", "test", PROBE_WORDS)
    error = evaluate(model, chosen, "american").word_error
    if error > HIGHEST_PROBE_ERROR:
        raise ValueError(
            f"{base_folder()} is wrong on {error:.0%} of {PROBE_WORDS} held-out words: its weights are damaged. "
            "Take them from a fresh clone, or run `python -m lessons pretrain`"
        )
    count = sum(parameter.numel() for parameter in model.parameters())
    return tell(
        "{count} parameters, wrong on {error} of {words} held-out words",
        count=f"{count:,}",
        error=f"{error:.0%}",
        words=PROBE_WORDS,
    )


def adapters() -> str:
    folders = sorted(path.parent for path in base_folder().parent.glob("adapters/*/*/adapter_config.json"))
    for folder in folders:
        read_json(folder / "adapter_config.json")
        read_tensors(folder / "adapter_model.safetensors")
    if not folders:
        return say("none shipped; `python -m lessons compare` trains them")
    return tell("{count} shipped, all whole", count=len(folders))


def grading_wall() -> str:
    """Only teachers cannot do without it."""
    if os.name != "posix":
        return say("none on this system, so `grade` and `check` do not run here")
    from lessons.exercises.grading.sandbox.trial import problem  # which other systems cannot import

    if missing := problem():
        return tell(
            "none, so `grade` refuses; `check` of your own file runs with limits on time and memory only ({missing})",
            missing=in_language(missing),
        )
    return say("students' files are run behind bubblewrap's namespaces")


CHECKS: dict[str, Callable[[], str]] = {
    "Python": python,
    "packages": packages,
    "machine": machine,
    "peft": own_peft,
    "data": data,
    "base": base,
    "adapters": adapters,
    "wall": grading_wall,
}


def main(arguments: list[str]) -> int:
    parser = Options("doctor", __doc__)
    parser.add_argument("--model", type=Path, metavar="DIR", help="look at a saved model or adapter instead")
    options = parser.parse_args(arguments)
    console, healthy = Console(soft_wrap=True, highlight=False), True
    for name, check in (folder_checks(options.model) if options.model else CHECKS).items():
        try:
            with warnings.catch_warnings(action="ignore"):
                found, sign = check(), "[green]✓[/]"
        except (ValueError, OSError, ImportError) as error:
            found, sign, healthy = str(error), "[red]✗[/]", False
        console.print(f"{sign} {padded(say(f'{name}:'), 11)}{escape(in_language(found))}")
    if not healthy:
        console.print(say("Something is not in order: the lines with ✗ say what to do."))
    return 0 if healthy else 1


def folder_checks(model: Path) -> dict[str, Callable[[], str]]:
    """What can be told from the files of a model or an adapter alone."""
    return {name: partial(check, model) for name, check in FOLDER_CHECKS.items()}
