"""The techniques by name: every recipe of peft/, what a module from outside adds to them, and training from scratch.

    python -m lessons compare --import my_technique --methods my_technique

imports my_technique.py, which writes its line into peft.RECIPES as peft/recipes.py does.
"""

import importlib
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence

from peft import RECIPES, recipe
from peft.recipes import unknown_technique

SCRATCH = "scratch"
FROM_SCRATCH = (3e-4, 1e-3, 3e-3)


def technique_names() -> list[str]:
    """Every name that --methods takes, in the order of all tables."""
    return [*RECIPES, SCRATCH]


def chosen_techniques(wanted: Iterable[str] | None) -> list[str]:
    """Those of `wanted`, all by default, in the order of the tables. Raises ValueError for a name that is none."""
    known = technique_names()
    wanted = list(known if wanted is None else wanted)
    for name in wanted:
        if name not in known:
            raise unknown_technique(name, known)
    return [name for name in known if name in wanted]


def rates_to_try(method: str) -> tuple[float, ...]:
    """Where the search of the learning rate begins: lower where everything moves, higher where little does."""
    return FROM_SCRATCH if method == SCRATCH else recipe(method).rates


def middle_rates() -> dict[str, float]:
    """For every technique the middle of the rates to try: what to take as long as it is not searched."""
    return {name: sorted(rates_to_try(name))[len(rates_to_try(name)) // 2] for name in technique_names()}


def add_import_option(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--import",
        dest="modules",
        nargs="+",
        default=[],
        metavar="MODULE",
        help="imported first: techniques of your own",
    )


def import_techniques(modules: Sequence[str]) -> None:
    """Imports modules that add to RECIPES. Raises ImportError that says which one is not there."""
    for name in modules:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise ImportError(
                f"there is no module {name!r} to import: give its name, without .py; it is looked for in this folder "
                "and on PYTHONPATH"
            ) from error
