"""The clinic: a fine-tune that looks healthy and is wrong, and how one finds out.

    python -m lessons clinic            the cases: illnesses that users of every fine-tuning library report
    python -m lessons clinic NAME       makes one on purpose, measures it, repairs it, measures again
    diagnose(model, batches)            looks at a run of your own, and names what is wrong with it

Read in this order: measurement, reading, untouched, subject, run, checks/ (one file each), case, world, cases/, examination, table, command.
"""

from typing import Any


def __dir__() -> list[str]:
    return [*globals(), "diagnose"]


def __getattr__(name: str) -> Any:
    """`from lessons.clinic import diagnose`; the checks are imported once it is asked for."""
    if name == "diagnose":
        from lessons.clinic.examination import diagnose

        return diagnose
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
