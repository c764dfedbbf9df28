"""The clinic's table: every case, made from the cases themselves, with what was measured of it when sick and when repaired."""

from typing import Any

from lessons.clinic.case import GROUPS, Case
from lessons.clinic.cases import CASES
from lessons.clinic.table import counts
from lessons.drawing.grids import as_markdown
from lessons.experiments.clinic import kept_table
from lessons.language.message import in_language
from lessons.language.words import say as in_this_language
from lessons.site.ways import lesson_page
from lessons.teaching.said import Say
from lessons.translate.fixed import SITE

COLUMNS = ("case", "symptom", "cause", "repair", "sick", "well", "reported", "of lesson")


def clinic(say: Say) -> str:
    """The page as MyST. `say` gives the site's words; the cases' own are those that `python -m lessons clinic` says."""
    kept = kept_table()
    measured = {row["case"]: row for row in kept["cases"]}
    parts = [f"# {say(SITE['clinic'])}", say(SITE["ill"]), say(SITE["making"]), told(kept, say)]
    for number, group in enumerate(GROUPS, start=1):
        rows = [line(case, measured.get(case.name, {})) for case in CASES.values() if case.group == number]
        heading = in_this_language(f"**{group}**").strip("*")
        table = as_markdown([[say(SITE[name]) for name in COLUMNS], *rows])
        parts += [f"## {number}. {heading}", f"::::{{container}} clinic\n{table}\n::::"]
    return "\n\n".join(parts) + "\n"


def line(case: Case, measured: dict[str, Any]) -> list[str]:
    texts = [in_this_language(text) for text in (case.symptom, case.cause, case.repair)]
    numbers = [in_language(measured.get(when, "")) for when in ("before", "after")]
    threads = ", ".join(f"[{place}]({link})" for place, link in zip(case.threads, case.links, strict=True))
    lesson = f"[{case.lesson}](lessons/{lesson_page(case.lesson)}.md)"
    return [f"`{case.name}`", *map(in_a_cell, [*texts, *numbers]), threads, lesson]


def in_a_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def told(kept: dict[str, Any], say: Say) -> str:
    """The kept table's totals."""
    cases, healthy = counts(kept["cases"]), kept["healthy"]
    silent = sum(not run["findings"] for run in healthy)
    return say(SITE["kept clinic"]).format(cases=cases.pop("rows"), healthy=len(healthy), silent=silent, **cases)
