"""Mutation testing: small mistakes are put into the product, one at a time, and the nearest tests must see each.

python -m tests.mutants                      all of transformer/ peft/ quant/ rlhf/; goes on where it stopped
python -m tests.mutants --files peft/dora.py --show
python -m tests.mutants --jobs 16 --sample 10
"""

import argparse
import os
import random
import shutil
import signal
from pathlib import Path

os.environ["FT_THREADS"] = "1"

import hypothesis  # noqa: F401
import pytest
import safetensors.torch  # noqa: F401
import torch

from tests.mutants.changes import Mutant, mutants
from tests.mutants.keeping import ROOT, Answers, equivalents, keep, kept_letters, killed, product, shown, table
from tests.mutants.nearest import Nearest
from tests.mutants.pool import forked
from tests.mutants.warm import COLD, OPTIONS, TESTS, Warm, cold


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("--files", nargs="*", default=[], help="files or folders (default: all of the product)")
    parser.add_argument("--tests", nargs="*", default=TESTS, help="files or folders of tests that are asked")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="mutants at a time")
    parser.add_argument("--sample", type=int, help="so many mutants of each file, drawn by chance")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds of tests that a mutant may cost")
    parser.add_argument("--again", choices=("survivors", "all"), help="ask again what has an answer already")
    parser.add_argument("--show", action="store_true", help="list the survivors")
    parser.add_argument("--table", action="store_true", help="run nothing: show what is known")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a mutant of `os.kill(process, 0)` sends it
    folder = ROOT / "runs" / "mutants"
    folder.mkdir(parents=True, exist_ok=True)
    sources = {name: (ROOT / name).read_text() for name in product(asked.files)}
    answers = Answers(folder / "answers.jsonl", sources)
    every = [mutant for name, source in sources.items() for mutant in mutants(name, source)]
    answers.begin(every, kept_letters())
    todo = (
        []
        if asked.table
        else [mutant for mutant in chosen(every, asked.sample) if wanted(answers.of(mutant), asked.again)]
    )
    same = equivalents()
    todo = [mutant for mutant in todo if mutant.name not in same]
    if todo:
        ask(todo, answers, folder, asked)
    rows = table(every, answers)
    survivors = [m for m in every if answers.of(m) and not killed(answers.of(m)) and m.name not in same]
    if asked.show:
        for mutant in survivors:
            print(f"{mutant.file}:{mutant.lines[0]} {mutant.name.partition(' ')[2]}   ({answers.of(mutant)})")
    print(shown(rows))
    if not asked.files:
        keep(rows, [mutant.name for mutant in survivors], answers.letters(every))


def chosen(every: list[Mutant], sample: int | None) -> list[Mutant]:
    if sample is None:
        return every
    by_file: dict[str, list[Mutant]] = {}
    for mutant in every:
        by_file.setdefault(mutant.file, []).append(mutant)
    draw = random.Random(0)
    return [mutant for several in by_file.values() for mutant in draw.sample(several, min(sample, len(several)))]


def wanted(answer: str, again: str | None) -> bool:
    return not answer or again == "all" or (again == "survivors" and not killed(answer)) or answer == COLD


def ask(todo: list[Mutant], answers: Answers, folder: Path, asked: argparse.Namespace) -> None:
    """Runs them: first by an exchange of code, and what that does not reach by a new import."""
    torch.set_num_threads(1)
    warm = [mutant for mutant in todo if mutant.function and answers.of(mutant) != COLD]
    late = {mutant.name: mutant for mutant in todo if mutant not in warm}
    done = 0

    def report(mutant: Mutant, answer: str) -> None:
        nonlocal done
        done += 1
        answers.note(mutant, answer)
        if not killed(answer):
            print(f"[{done}/{len(todo)}] {mutant.name}   ({answer})", flush=True)

    pid = os.fork()
    if not pid:
        plugin = Warm(ROOT, folder, warm, report, asked.jobs, asked.budget)
        code = pytest.main([*OPTIONS, *asked.tests], plugins=[plugin])
        os._exit(int(code))
    if os.waitpid(pid, 0)[1]:
        raise SystemExit("the tests could not be collected or learned: run them first")
    fresh = Answers(folder / "answers.jsonl", answers.sources)
    answers.known |= fresh.known
    late |= {mutant.name: mutant for mutant in warm if answers.of(mutant) == COLD}
    nearest = Nearest.read(folder / "nearest.json")
    works = [(mutant, nearest.tests(mutant, asked.budget)) for mutant in late.values()]
    for (mutant, _), answer, _ in forked(
        works, lambda work: cold(*work, ROOT), lambda _: 60 + 4 * asked.budget, asked.jobs
    ):
        report(mutant, answer)
    shutil.rmtree(folder / "tmp", ignore_errors=True)


if __name__ == "__main__":
    main()
