"""What README says is what the commands gave."""

import json
import re
import warnings
from pathlib import Path
from statistics import mean, stdev

import PIL.Image
from PIL import ImageChops, ImageStat

from lessons.__main__ import main
from lessons.chat.comparing import kept as chat_kept
from lessons.chat.comparing import report as chat_report
from lessons.compare.beside_hf import both, lines_of, load_hf
from lessons.compare.kept import REPORT, kept_report, main_table, markdown, other_table
from lessons.compare.long_training import best_other
from lessons.compare.prompt_study import LENGTHS
from lessons.compare.report import by_method
from lessons.exercises.catalogue import all_exercises
from lessons.exercises.course import LESSONS
from lessons.exercises.grading.sandbox.limits import MEGABYTE, Limits
from lessons.experiments.prompt_tuning_study import position_or_capacity
from lessons.task.base import base_hash, model_card
from lessons.task.card import BASELINE
from lessons.task.shipped import card, on_all_words
from lessons.task.techniques import technique_names
from lessons.teaching.claims import about
from lessons.teaching.cover import COVER, draw_cover
from peft import RECIPES

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
KEPT = kept_report()


def test_the_tables_are_those_of_the_kept_run() -> None:
    """As one, or the short one with the others folded away."""
    assert markdown(KEPT) in README or all(table(KEPT) in README for table in (main_table, other_table))


def test_the_counts_are_those_of_the_course() -> None:
    assert f"{len(LESSONS)} lessons, {len(all_exercises())} exercises" in README
    assert f"shows {len(all_exercises())} exercises" in README


def test_the_numbers_of_the_model_and_of_the_techniques_are_counted() -> None:
    assert f"{len(RECIPES)} ways to fine-tune it" in README
    assert f"{len(RECIPES)} techniques, each a page" in README
    trained = by_method(KEPT)["full"][0]["trainable_parameters"]
    assert f"{trained / 1e6:.1f} million parameters, in here" in README
    assert BASELINE.endswith("35.0 % of the American words wrong")
    assert "phonetisaurus 0.3.0, 35.0 % by" in README
    hour = re.search(r"the base anew, about (\d+) minutes on one core", README)[1]
    assert about(model_card()["seconds"] / 60, float(hour))


def test_the_limits_of_a_submission_are_those_of_the_sandbox() -> None:
    limits = Limits()
    said = f"memory ({limits.memory // (1024 * MEGABYTE)} GB), disk ({limits.disk // MEGABYTE} MB, {limits.files} files), {limits.threads} threads"
    assert said in README
    assert f"so much processor time ({limits.seconds:.0f} s for tests)" in README


def test_the_kept_run_holds_each_of_its_techniques_on_five_seeds_and_all_words() -> None:
    """One that is newer than the run is named in a warning: the run is made anew when it suits."""
    kept = by_method(KEPT)
    assert list(kept) == [name for name in technique_names() if name in kept]
    assert all([row["seed"] for row in rows] == list(range(5)) for rows in kept.values())
    assert (KEPT["run"]["seeds"], KEPT["run"]["test_words"]) == (5, "all")
    if missing := [name for name in technique_names() if name not in kept]:
        warnings.warn(f"the kept run has no rows of {', '.join(missing)}", stacklevel=1)


def test_the_kept_run_is_of_the_shipped_base() -> None:
    assert KEPT["run"]["base"] == base_hash()


def test_the_error_on_the_cmu_dictionary_is_that_of_the_kept_run() -> None:
    kept = json.loads(REPORT.with_name("cmudict.json").read_text(encoding="utf-8"))
    ours = f"gets {100 * kept['test']['word_error']:.1f} % of {kept['test']['words']:,} held-out words wrong"
    same_split, transformer = (f"{100 * row['word_error']:.1f} %" for row in kept["beside"][:2])

    assert all(words in README for words in (ours, f"the same split {same_split}", f"width {transformer}"))


def test_switched_off_every_technique_gives_the_base_back() -> None:
    for row in KEPT["rows"]:
        if row["method"] != "scratch":
            assert row["american_disabled"] == row.get("base_american", KEPT["base"]["american"]), row["method"]


def tour() -> tuple[str, str]:
    """README's first block of Python and the text that stands below it as what it prints."""
    code, said = re.search(r"```python\n(.*?)```\s+```text\n(.*?)```", README, re.DOTALL).groups()
    return code, said


def test_the_tour_prints_what_readme_says(capsys, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    code, said = tour()
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() == said.strip()


def test_the_buttons_open_a_notebook_that_is_there() -> None:
    paths = re.findall(r"(?:blob/main/|tree/)(lessons/[^\s)]+\.ipynb)", README)
    assert len(paths) == 2, "one for Colab, one for Binder"
    assert all((ROOT / path).is_file() for path in paths)
    address = re.search(r"^url = https://github.com/(\S+)$", (ROOT / "setup.cfg").read_text(), re.MULTILINE)[1]
    assert f"colab.research.google.com/github/{address}/blob/main/" in README
    assert f"mybinder.org/v2/gh/{address}/main" in README
    assert (ROOT / ".binder" / "requirements.txt").read_text().split() == [
        "--constraint",
        "../constraints.txt",
        "--editable",
        ".[notebooks]",
    ]


def test_every_lesson_is_linked() -> None:
    for number, title in LESSONS.items():
        assert re.search(rf"\[{number}\. {re.escape(title)}\]\(lessons/notebooks/{number:02}_\w+\.ipynb\)", README), (
            title
        )


def test_the_cover_shows_the_kept_figure() -> None:
    kept, drawn = (picture.convert("RGB") for picture in (PIL.Image.open(COVER), draw_cover()))
    assert kept.size == drawn.size
    apart = ImageStat.Stat(ImageChops.difference(kept, drawn)).mean
    assert max(apart) < 2, "python -m lessons.teaching.cover"


def mean_error(method: str, accent: str = "british") -> float:
    return mean(row[accent]["word_error"] for row in by_method(KEPT)[method])


def test_the_findings_below_the_table_are_so() -> None:
    base = KEPT["base"]
    full, lora, qlora, bitfit = (by_method(KEPT)[name] for name in ("full", "lora", "qlora", "bitfit"))
    spread = stdev(row["british"]["word_error"] for row in lora)
    assert abs(mean_error("lora") - mean_error("full")) < spread, "as good as full fine-tuning"
    assert abs(mean_error("qlora") - mean_error("lora")) < spread, "loses nothing on four bits"
    assert lora[0]["trainable_parameters"] < full[0]["trainable_parameters"] / 10
    assert qlora[0]["trainable_parameters"] == lora[0]["trainable_parameters"]
    lost = max(row["base_american"]["word_error"] for row in KEPT["rows"] if "base_american" in row)
    assert (
        f"{100 * (lost - base['american']['word_error']):.1f}" == re.search(r"at most ([\d.]+) points worse", README)[1]
    )
    assert 0.7 <= 100 * bitfit[0]["trainable_parameters"] / full[0]["trainable_parameters"] < 1
    gains = [base["british"]["word_error"] - mean_error(name) for name in ("bitfit", "full")]
    assert 0.73 < gains[0] / gains[1] < 0.77, "three quarters"
    prompts = position_or_capacity()
    assert all(prompts[f"place_{length}"] > prompts[f"moved_{length}"] - 0.5 for length in LENGTHS), (
        "in place no better"
    )
    assert prompts["moved_10"] > prompts["moved_5"] - 0.5, "ten do no more than five"
    few, hardly = (base["british"]["word_error"] - mean_error(name) for name in ("prompt_tuning", "p_tuning"))
    assert few > 0.02
    assert 0 < hardly < 0.01
    assert max(mean_error(name, "american") for name in ("prompt_tuning", "p_tuning")) < mean_error(
        "bitfit", "american"
    )


def test_the_language_models_table_is_the_kept_one() -> None:
    report = chat_kept.kept()
    assert chat_kept.markdown(report) in README
    assert chat_kept.said(report) in " ".join(README.split())
    assert ("Mean ± standard deviation of three seeds" in README) == (chat_report.seeds_of(report) == 3)
    found = {task: chat_report.by_method(report, task) for task in ("spelling", "sentiment")}
    assert all(len(methods) >= 12 for methods in found.values())
    rates = {task: methods["lora"][0]["learning_rate"] for task, methods in found.items()}
    assert rates["spelling"] != rates["sentiment"], "one rate does not suit both"
    spread = [stdev(map(chat_report.accuracy, rows)) for rows in found["sentiment"].values()]
    assert mean(spread) > 0.05, "ten points are noise"


def test_the_bases_error_is_its_cards() -> None:
    card = model_card()
    assert (
        f"{100 * card['held_out']['american']['word_error']:.1f} % of {card['held_out']['american']['words']:,}"
        in README
    )
    moved = [error["word_error"] for error in card["american_moved"].values()]
    assert max(moved) < 1.1 * card["held_out"]["american"]["word_error"], "the base bears letters that are moved"


def test_what_pronounce_prints_stands_in_readme(capsys) -> None:
    assert main(["pronounce", "bath", "schedule", "tomato", "dance"]) == 0
    said = capsys.readouterr().out.strip()
    assert said in README
    assert "✗" not in said


def test_the_adapters_of_all_words_say_seven_of_ten_right() -> None:
    """LoRA and the best other technique, on held-out words; each as the kept table names them."""
    found = {method: card(folder) for method, folder in on_all_words().items()}
    assert sorted(found) == sorted(["lora", best_other(KEPT)])
    assert all(made["british"]["word_error"] < 0.30 and made["test_words"] == 3013 for made in found.values())


def test_what_is_said_of_the_published_comparison_is_in_its_results() -> None:
    rows = load_hf()["rows"]
    assert f"{len(rows)} settings" in README
    assert {row["seed"] for row in rows} == {0}
    billions = float(re.search(r"([\d.]+)B", load_hf()["model"])[1])
    assert about(1e9 * billions / by_method(KEPT)["full"][0]["trainable_parameters"], 2000), (
        "two thousand times as large"
    )
    assert max(row["accuracy"] for row in lines_of("ln_tuning")) == 0.0
    shared = {each.method: each.theirs["accuracy"] for each in both(KEPT)}
    assert shared["lora"] >= shared["full"]
    assert sorted(shared, key=shared.__getitem__)[:3] == ["ln_tuning", "prompt_tuning", "p_tuning"]
    assert [each.method for each in both(KEPT)][-2:] == ["prompt_tuning", "p_tuning"]


def test_what_is_said_of_the_clinic_is_in_its_table() -> None:
    kept = json.loads((REPORT.parent / "clinic.json").read_text(encoding="utf-8"))
    cases, healthy = kept["cases"], kept["healthy"]
    found, repaired = (sum(bool(case[what]) for case in cases) for what in ("named", "repaired"))
    silent = sum(not run["findings"] for run in healthy)
    said = f"{len(cases)} cases are kept: {found} found and named, {repaired} repaired; of {len(healthy)} healthy runs {silent} are"
    assert said in " ".join(README.split())
    variants = kept["variants"]
    first, now = sum(row["first_look"] for row in variants), sum(row["named"] for row in variants)
    said = f"Of {len(variants)} variants for which the checks were not written, other techniques, sizes and places, {first} were named"
    assert f"{said} at the first look, and {now} are now." in " ".join(README.split())
    shown = next(case for case in cases if case["case"] == "merged-twice")
    assert f"merged-twice: {shown['before']}" in README
