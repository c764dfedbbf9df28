"""What README says is what the commands gave."""

import json
from pathlib import Path

from lessons.compare.readme_table import REPORT, table
from lessons.exercises.catalogue import all_exercises
from lessons.exercises.course import LESSONS
from peft import RECIPES

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
KEPT = json.loads(REPORT.read_text(encoding="utf-8"))


def test_the_table_is_that_of_the_kept_run() -> None:
    assert table(KEPT) in README


def test_the_counts_are_those_of_the_course() -> None:
    assert f"{len(LESSONS)} lessons, {len(all_exercises())} exercises" in README
    assert f"shows {len(all_exercises())} exercises" in README


def test_the_kept_run_holds_every_technique_on_three_seeds() -> None:
    assert [row["method"] for row in KEPT["rows"] if row["seed"] == 0] == [*RECIPES, "scratch"]
    assert {row["seed"] for row in KEPT["rows"]} == {0, 1, 2}


def test_the_error_on_the_cmu_dictionary_is_that_of_the_kept_run() -> None:
    kept = json.loads((REPORT.parent / "cmudict.json").read_text(encoding="utf-8"))
    ours = f"gets {100 * kept['test']['word_error']:.1f} % of {kept['test']['words']:,} held-out words wrong"
    same_split, transformer = (f"{100 * row['word_error']:.1f} %" for row in kept["beside"][:2])

    assert all(words in README for words in (ours, f"the same split {same_split}", f"width {transformer}"))


def test_switched_off_every_technique_gives_the_base_back() -> None:
    for row in KEPT["rows"]:
        if row["method"] != "scratch":
            assert row["american_disabled"] == row.get("base_american", KEPT["base"]["american"]), row["method"]
