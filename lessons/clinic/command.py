"""Why is my fine-tune silently wrong? Illnesses made on purpose.

    python -m lessons clinic                 the cases
    python -m lessons clinic merged-twice    makes this illness on the base, or
                                             on SmolLM2 if it needs text
    python -m lessons clinic --table FILE    all of them, variants, healthy runs
    python -m lessons clinic --patient NAME  a sick run of lesson 31's exercises

Of a run of your own: lessons.clinic.diagnose(model, batches).
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
from lessons.clinic.table import counts, make_table, row
from lessons.clinic.world import World, pronunciation
from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.language.words import say, tell
from lessons.language.wrapping import broken, padded
from lessons.task.dictionary import vocabulary
from lessons.task.machine import set_threads

WIDTH = 80
SPOKEN = ("mask-of-zeros", "loss-over-padding")
"""Made on the language model where it is at hand, beside what needs one."""
TOKENS = 1 + GROUPS.index("the loss is taken over the wrong tokens")
LABEL = 11
"""Cells before the text of a line."""


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    console = Console(soft_wrap=True, highlight=False)
    set_threads()
    if options.table:
        table = make_table(options.table, smollm() if at_hand() else None)
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
    parser = Options("clinic", __doc__)
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
    named, after = case.name if made["named"] else say("not named"), in_language(made["after"])
    lines = {
        say("symptom"): say(case.symptom),
        say("measured"): in_language(made["before"]),
        say("diagnosis"): tell("{named}; also {others}", named=named, others=", ".join(made["also"]))
        if made["also"]
        else named,
        say("cause"): say(case.cause),
        say("repair"): say(case.repair),
        say("after it"): tell("{after}, and the diagnosis is silent", after=after) if made["repaired"] else after,
        say("reported"): ", ".join(case.links),
        say("lesson"): str(case.lesson),
    }
    for name, text in lines.items():
        console.print(beside(padded(name, LABEL), text), markup=False)
    if case.group == TOKENS:
        show_rows(case, world, console)


def show_rows(case: Case, world: World, console: Console) -> None:
    """A row as the loss sees it, sick and repaired."""
    for when, settings in zip((say("sick"), say("repaired")), case.make(world), strict=True):
        console.print(padded(when, LABEL), row_in_colour(settings, world), sep="")
    console.print(" " * LABEL + say("green carries loss, grey does not, red is padding that does"), style="dim")


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
    (cases, variants), healthy = (counts(table[rows]) for rows in ("cases", "variants")), table["healthy"]
    looks = sum(bool(row["first_look"]) for row in table["variants"])
    silent = sum(not run["findings"] for run in healthy)
    return "\n".join(
        [
            tell("{rows} cases: {found} found, {named} named, {repaired} repaired", **cases),
            tell(
                "{rows} variants: {found} found, {named} named, {repaired} repaired; {looks} at the first look",
                looks=looks,
                **variants,
            ),
            tell("{runs} healthy runs: {silent} silent", runs=len(healthy), silent=silent),
        ]
    )
