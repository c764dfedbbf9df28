"""Why is my fine-tune silently wrong? Illnesses made on purpose.

    python -m lessons clinic                 the cases
    python -m lessons clinic merged-twice    makes this illness on the base, or
                                             on SmolLM2 if it needs text
    python -m lessons clinic --table FILE    all of them, variants, healthy runs
    python -m lessons clinic --patient NAME  a sick run of lesson 31's exercises

Of a run of your own: lessons.clinic.diagnose.diagnose(model, batches).
"""

import argparse
from pathlib import Path

from rich.console import Console
from rich.text import Text

from lessons.clinic.case import GROUPS, Case, Settings
from lessons.clinic.cases import CASES
from lessons.clinic.patients import PATIENTS
from lessons.clinic.patients.look import look
from lessons.clinic.reading import coloured, read
from lessons.clinic.speaking import Speaking, at_hand, smollm
from lessons.clinic.table import make_table, row
from lessons.clinic.world import World, pronunciation
from lessons.language.words import say
from lessons.language.wrapping import broken
from lessons.task.dictionary import vocabulary
from lessons.task.machine import set_threads

WIDTH = 80
SPOKEN = ("mask-of-zeros", "loss-over-padding")
"""Made on the language model where it is at hand, beside what needs one."""
TOKENS = 1 + GROUPS.index("the loss is taken over the wrong tokens")


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    console = Console(soft_wrap=True, highlight=False)
    set_threads()
    if options.table:
        table = make_table(options.table)
        console.print(summary(table))
    elif options.patient:
        for line in look(options.patient, options.seed, options.diagnose):
            console.print(line, markup=False)
    elif options.name:
        show(case_of(options.name), console)
    else:
        overview(console)
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lessons clinic", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the case to make; without it they are listed")
    parser.add_argument("--table", type=Path, metavar="FILE", help="make every case and healthy runs, into FILE")
    parser.add_argument("--patient", metavar="NAME", help=f"look at a sick run: {', '.join(PATIENTS)}")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of what is drawn in the patient (default: 0)")
    parser.add_argument("--diagnose", action="store_true", help="ask `diagnose` about the patient as well")
    return parser.parse_args(arguments)


def case_of(name: str) -> Case:
    """Raises ValueError that lists the cases."""
    if name not in CASES:
        raise ValueError(f"there is no case {name!r}; there are {', '.join(CASES)}")
    if CASES[name].causal and not at_hand():
        raise ValueError(f"{name} needs a model that continues text; `make smollm` fetches one, 93 MB")
    return CASES[name]


def world_of(case: Case) -> World:
    """The language model for what is about tokens, where it is at hand; the shipped base for all else."""
    spoken = case.causal or case.name in SPOKEN
    return smollm() if spoken and at_hand() else pronunciation()


def overview(console: Console) -> None:
    for number, group in enumerate(GROUPS, start=1):
        heading = say(f"**{group}**")  # as lesson 31's table has it
        console.print(f"[bold]{heading.strip('*')}[/]")
        for case in CASES.values():
            if case.group == number:
                console.print(beside(f"  {case.name:<29}", say(case.symptom)))


def beside(name: str, text: str) -> str:
    """The text beside a name, in 80 columns; its further lines stand under the first."""
    return name + broken(text, WIDTH - len(name)).replace("\n", "\n" + " " * len(name))


def show(case: Case, console: Console) -> None:
    """One case from symptom to the measurement after the repair."""
    world = world_of(case)
    made = row(case, world)
    also = f"; also {', '.join(made['also'])}" if made["also"] else ""
    lines = {
        "symptom": say(case.symptom),
        "measured": made["before"],
        "diagnosis": (case.name if made["named"] else "not named") + also,
        "cause": case.cause,
        "repair": case.repair,
        "after it": made["after"] + (", and the diagnosis is silent" if made["repaired"] else ""),
        "reported": ", ".join(case.links),
        "lesson": str(case.lesson),
    }
    for name, text in lines.items():
        console.print(beside(f"{name:<11}", text), markup=False)
    if case.group == TOKENS:
        for when, settings in zip(("sick", "repaired"), case.make(world), strict=True):
            console.print(f"{when:<11}", row_in_colour(settings, world), sep="")
        console.print("           green carries loss, grey does not, red is padding that does", style="dim")


def row_in_colour(settings: Settings, world: World) -> Text:
    """The shortest row of the first batch, as the loss sees it."""
    model = settings["model"]
    reading = read(settings["batches"][0], world.causal, model.config.pad_id, model.config.eos_id)
    index = int(reading.real.sum(dim=1).argmin())
    if isinstance(world, Speaking):
        return coloured(reading, index, world.say, model.config.pad_id)
    names = {token: symbol for symbol, token in vocabulary().symbol_ids.items()}
    names |= {model.config.pad_id: "(pad)", model.config.eos_id: "(end)", model.config.bos_id: "(begin)"}
    return coloured(reading, index, lambda token: names.get(token, str(token)), model.config.pad_id)


def summary(table: dict[str, list[dict[str, object]]]) -> str:
    """The table's totals in three lines."""
    lines = []
    for what in ("cases", "variants"):
        counts = ", ".join(
            f"{sum(bool(row[key]) for row in table[what])} {key}" for key in ("found", "named", "repaired")
        )
        lines.append(f"{len(table[what])} {what}: {counts}")
    lines[1] += f"; {sum(bool(row['first_look']) for row in table['variants'])} at the first look"
    silent = sum(not run["findings"] for run in table["healthy"])
    return "\n".join([*lines, f"{len(table['healthy'])} healthy runs: {silent} silent"])
