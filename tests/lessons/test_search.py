"""The search of learning rates: it goes on until the best is inside, it is never mixed with another, and it can be stopped."""

import json
import math
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lessons.compare import search
from lessons.compare.climbing import climb
from lessons.compare.kept_rates import KeptRates
from lessons.compare.ladder import best_inside, next_runs, on_ladder, rate_at, rung_of
from lessons.task.base import base_hash
from lessons.task.finetuning import in_short, kept_rates, learning_rates
from lessons.task.techniques import rates_to_try, technique_names

START = (1e-3, 3e-3, 1e-2)
SETTING = {"steps": 3, "base": "abc"}


def climbed(errors: Callable[[float, int], float], seeds: int = 2) -> dict[float, dict[int, float]]:
    """A whole search of one technique, without training."""
    tried: dict[float, dict[int, float]] = {}
    while wanted := next_runs(START, tried, seeds):
        for rate, seed in wanted:
            assert seed not in tried.get(rate, {})
            tried.setdefault(rate, {})[seed] = errors(rate, seed)
    return tried


def valley(best: float) -> Callable[[float, int], float]:
    return lambda rate, seed: abs(rung_of(rate) - rung_of(best)) + 0.1 * seed


def test_the_ladder_has_two_rungs_a_decade() -> None:
    assert [rate_at(rung) for rung in range(-7, -1)] == [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
    assert all(rung_of(rate_at(rung)) == rung for rung in range(-12, 5))
    assert on_ladder([2e-4, 2.9e-3]) == [3e-4, 1e-3, 3e-3]
    with pytest.raises(ValueError, match="not -1"):
        rung_of(-1)


@pytest.mark.parametrize("best", [1e-5, 1e-3, 3e-3, 1e-2, 3.0])
def test_it_widens_until_the_best_is_inside(best: float) -> None:
    tried = climbed(valley(best))

    assert best_inside(tried) == best
    assert min(tried) < best < max(tried)
    assert set(START) <= set(tried)


def test_only_the_best_and_its_neighbours_get_a_second_seed() -> None:
    tried = climbed(valley(3e-2))

    assert [rate for rate in sorted(tried) if set(tried[rate]) == {0, 1}] == [1e-2, 3e-2, 1e-1]


def test_the_mean_over_the_seeds_decides_and_widens_again() -> None:
    """With seed 0 alone 0.003 is the best; the mean takes it to 0.01, which is then an edge no more."""
    second = {1e-3: 9.0, 3e-3: 9.0, 1e-2: 0.0}

    tried = climbed(lambda rate, seed: second.get(rate, 5.0) if seed else abs(rung_of(rate) + 5) + 0.5)

    assert best_inside(tried) == 1e-2
    assert set(tried[3e-2]) == {0, 1}


def test_a_rate_that_fails_is_bad_and_one_that_fails_on_one_seed_too() -> None:
    tried = climbed(lambda rate, seed: math.inf if rate == 1e-2 or (rate == 3e-3 and seed) else abs(rung_of(rate) + 5))

    assert best_inside(tried) == 1e-3


def test_where_every_rate_fails_there_is_no_best_and_an_end() -> None:
    assert best_inside(climbed(lambda rate, seed: math.inf)) is None


def keeper(file: Path, setting: dict[str, Any] | None = None, *names: str) -> KeptRates:
    names = names or ("lora", "bitfit")
    return KeptRates(file, dict.fromkeys(names, setting or SETTING), dict.fromkeys(names, START), 2, {"command": "x"})


def counted(name: str, rate: float, seed: int, folder: Path = Path()) -> float:
    """A measure that leaves a file for each of its runs, and breaks at one rate."""
    (folder / f"{name} {rate:g} {seed}").touch(exist_ok=False)
    if rate == 1e-2:
        raise ArithmeticError("the loss is nan")
    return valley(1e-3 if name == "lora" else 3e-2)(rate, seed)


@pytest.mark.slow
def test_a_stopped_search_goes_on_and_keeps_what_failed(tmp_path: Path) -> None:
    file, runs = tmp_path / "rates.json", tmp_path / "runs"
    runs.mkdir()
    stopped = keeper(file)
    stopped.begin(anew=False, way_out="")
    stopped.add("lora", 1e-3, 0, 0.0)  # and here the machine goes off

    going_on = keeper(file)
    going_on.begin(anew=False, way_out="")
    climb(going_on, partial(counted, folder=runs), jobs=2)

    found = json.loads(file.read_text())["methods"]
    assert found["lora"]["best"] == 1e-3
    assert not (runs / "lora 0.001 0").exists()
    assert (runs / "lora 0.001 1").exists()
    assert found["lora"]["tried"]["0.01"]["0"] is None
    assert "the loss is nan" in found["lora"]["failed"]["0.01, seed 0"]
    assert list(found) == ["lora", "bitfit"]
    assert list(found["lora"]["tried"]) == sorted(found["lora"]["tried"], key=float)


def slow(name: str, rate: float, seed: int, folder: Path) -> float:
    (folder / str(os.getpid())).touch()
    time.sleep(120)
    return 0.0


@pytest.mark.slow
def test_the_processes_end_with_a_search_that_is_killed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    search_process = context.Process(target=climb_slowly, args=(tmp_path,))
    search_process.start()
    until(lambda: any(tmp_path.iterdir()))
    search_process.kill()

    (worker,) = (int(file.name) for file in tmp_path.iterdir() if file.name.isdecimal())
    until(lambda: not Path(f"/proc/{worker}").exists() or "State:\tZ" in Path(f"/proc/{worker}/status").read_text())


def climb_slowly(folder: Path) -> None:
    kept = KeptRates(folder.with_name("rates.json"), {"lora": SETTING}, {"lora": START}, 1, {})
    kept.begin(anew=False, way_out="")
    climb(kept, partial(slow, folder=folder), jobs=1)


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_an_entry_whose_search_is_not_over_has_no_best(tmp_path: Path) -> None:
    kept = keeper(tmp_path / "rates.json", None, "lora")
    kept.begin(anew=False, way_out="")
    for rate in START:
        kept.add("lora", rate, 0, valley(3e-3)(rate, 0))
    assert "best" not in kept.entries["lora"]
    for rate in START:
        kept.add("lora", rate, 1, valley(3e-3)(rate, 1))
    assert kept.entries["lora"]["best"] == 3e-3


def test_another_setting_is_refused_and_both_are_named(tmp_path: Path) -> None:
    file = tmp_path / "rates.json"
    first = keeper(file)
    first.begin(anew=False, way_out="")
    first.add("lora", 1e-3, 0, 0.5)
    before = file.read_text()

    other = keeper(file, SETTING | {"steps": 300}, "bitfit", "lora")
    with pytest.raises(ValueError, match=r"holds bitfit searched with steps 3, and this search has steps 300; take"):
        other.begin(anew=False, way_out="take another")
    assert file.read_text() == before

    again = keeper(file, SETTING | {"steps": 300}, "lora")
    again.begin(anew=True, way_out="")
    kept = json.loads(file.read_text())["methods"]
    assert kept["lora"] == {"setting": {"steps": 300, "base": "abc"}, "tried": {}}
    assert kept["bitfit"]["setting"] == SETTING


def test_an_entry_without_a_setting_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rates.json"
    file.write_text(json.dumps({"methods": {"lora": {"tried": {"0.001": 0.1}, "best": 0.001}}}))

    with pytest.raises(ValueError, match=r"lora without the setting .*--anew .*--file"):
        search.main(["--methods", "lora", "--jobs", "1", "--file", str(file)])


@pytest.mark.parametrize(
    ("option", "value", "field"), [("--steps", 7, "steps"), ("--seeds", 3, "seeds"), (None, base_hash(), "base")]
)
def test_the_command_writes_its_setting_beside_each_entry(
    option: str | None, value: Any, field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "climb", lambda kept, measure, jobs, modules: None)
    file = tmp_path / "rates.json"
    asked = [option, str(value)] if option else []

    search.main(["--methods", "lora", "vera", *asked, "--file", str(file)])

    entries = json.loads(file.read_text())["methods"]
    assert entries["vera"]["setting"][field] == value
    assert {"VeraConfig(", "LoraConfig("} == {entry["setting"]["technique"][:11] for entry in entries.values()}
    assert " r=32, " in entries["vera"]["setting"]["technique"]


def test_a_run_trains_as_asked_and_a_broken_one_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def train(method: str, taught: list[str], **setting: Any) -> tuple[Any, list[float]]:
        asked.update(setting, method=method, words=len(taught))
        return None, [1.0, math.nan]

    monkeypatch.setattr(search, "fine_tune", train)
    with pytest.raises(ArithmeticError, match="nan after 3 steps"):
        search.try_rate("lora", 0.03, seed=5, steps=3)
    assert asked == {"method": "lora", "words": 1000, "steps": 3, "learning_rate": 0.03, "seed": 5}


def test_every_technique_has_a_rate_searched_on_the_shipped_base() -> None:
    kept = kept_rates()
    assert set(kept) == set(technique_names()) == set(learning_rates())
    assert {entry.get("setting", {}).get("base") for entry in kept.values()} == {base_hash()}


@pytest.mark.parametrize("method", technique_names())
def test_what_is_kept_was_searched_under_the_setting_of_today(method: str) -> None:
    """Else `python -m lessons search` would refuse to go on with the file that the package has."""
    kept = kept_rates()[method]["setting"]
    assert kept == search.setting_of(method, kept["steps"], kept["seeds"])


@dataclass
class Before:
    rank: int
    alpha: float = 2.0
    places: tuple[str, ...] = field(default_factory=tuple)


@dataclass
class Later(Before):
    bias: bool = False


def test_a_field_that_is_added_with_a_default_makes_no_other_setting() -> None:
    assert in_short(Later(8)) == in_short(Before(8)).replace("Before", "Later") == "Later(rank=8)"
    assert in_short(Later(8, 4.0, ("q",), bias=True)) == "Later(rank=8, alpha=4.0, places=('q',), bias=True)"


@pytest.mark.parametrize("method", technique_names())
def test_no_kept_best_is_an_edge_and_its_neighbours_have_every_seed(method: str) -> None:
    entry = kept_rates()[method]
    rates = sorted(map(float, entry["tried"]))
    place = rates.index(entry["best"])

    assert 0 < place < len(rates) - 1, f"{method}: {entry['best']:g} of {rates}"
    assert rates == on_ladder(rates)
    assert set(on_ladder(rates_to_try(method))) <= set(rates)
    around = [entry["tried"][f"{rate:g}"] for rate in rates[place - 1 : place + 2]]
    assert all(len(errors) == entry["setting"]["seeds"] for errors in around)
