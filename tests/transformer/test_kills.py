"""Whoever is killed while saving leaves the old save or the new one: a model's folder, a run's checkpoint, one file."""

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.kills import killed_at_every_call, killed_at_random, no_waiting_for_the_disk
from tests.transformer import small
from tests.transformer.small import SOURCE, TARGET
from transformer import Transformer, load_model, save_model
from transformer.learning.formats import read_json, read_tensors, write_bytes
from transformer.learning.one_save import read_both, write_both
from transformer.learning.resume import keep, resume

pytestmark = [
    pytest.mark.filterwarnings("ignore:.* is of an older save than"),
    pytest.mark.usefixtures(no_waiting_for_the_disk.__name__),
]
FILES = ["config.json", "model.safetensors"]


def model_of(seed: int, activation: str) -> Transformer:
    """Models of different activations have the same shapes: a mixture of two saves would load without a word."""
    torch.manual_seed(seed)
    return Transformer(replace(small.CONFIG, activation=activation)).float().eval()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("activation", ["relu", "gelu"], ids=["same config", "another config"])
def test_a_model_folder_is_the_old_one_or_the_new_one_at_every_call(tmp_path: Path, activation: str) -> None:
    old, new = model_of(1, "relu"), model_of(2, activation)
    said = [model(SOURCE, TARGET) for model in (old, new)]
    (tmp_path / "README.md").write_text("the user's own")
    found = []

    for _ in killed_at_every_call(lambda: save_model(old, tmp_path), lambda: save_model(new, tmp_path)):
        loaded = load_model(tmp_path)
        found.append([torch.equal(loaded(SOURCE, TARGET), output) for output in said])

    assert len(found) > 5
    assert found == sorted(found, reverse=True), "the old one, and from one call on the new one"
    assert all(sorted(each) == [False, True] for each in found)
    save_model(old, tmp_path)
    assert names_in(tmp_path) == ["README.md", *FILES]
    assert torch.equal(load_model(tmp_path)(SOURCE, TARGET), said[0])


def test_a_second_kill_on_top_of_the_first_leaves_one_of_the_three_saves(tmp_path: Path) -> None:
    config, tensors = tmp_path / "config.json", tmp_path / "tensors"

    def write(number: int) -> None:
        write_both(config, {"number": number}, tensors, {"number": torch.tensor(number)})

    states, seen = set(), set()
    for first in killed_at_every_call(lambda: write(0), lambda: write(1)):
        state = (read_json(config)["number"], int(read_tensors(tensors)[0]["number"]))
        for third in (2, 0) if state not in states else ():
            states.add(state)
            for _ in killed_at_every_call(partial(as_after, first, write), partial(write, third)):
                values, numbers = read_both(config, tensors)
                assert values["number"] == numbers["number"]
                seen.add(values["number"])
    assert states == {(0, 0), (0, 1), (1, 1)}, "config and tensors: of one save, and new tensors beside the old config"
    assert seen == {0, 1, 2}


def as_after(call: int, write: Callable[[int], None]) -> None:
    """Save 0, and save 1 killed at this call."""
    for made in killed_at_every_call(lambda: write(0), lambda: write(1)):
        if made == call:
            return


@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_a_model_folder_after_kills_at_random(tmp_path: Path, count: int) -> None:
    models = [model_of(1, "relu"), model_of(2, "gelu")]
    said = [model(SOURCE, TARGET) for model in models]

    def save_both() -> None:
        for model in models:
            save_model(model, tmp_path)

    save_both()
    for _ in killed_at_random(count, save_both, longest=0.02):
        loaded = load_model(tmp_path)
        assert any(torch.equal(loaded(SOURCE, TARGET), output) for output in said)
        assert sum(name.endswith(".part") for name in os.listdir(tmp_path)) <= 2
    save_both()
    assert names_in(tmp_path) == FILES


def optimizer_of(model: Transformer, step: float) -> torch.optim.Optimizer:
    optimizer = torch.optim.AdamW(model.parameters())
    for parameter in model.parameters():
        moments = {name: torch.full_like(parameter, step) for name in ("exp_avg", "exp_avg_sq")}
        optimizer.state[parameter] = {"step": torch.tensor(step), **moments}
    return optimizer


def kept_by(step: int, path: Path) -> None:
    model = model_of(step, "relu")
    keep(model, optimizer_of(model, float(step)), {"steps": 9}, [0.5] * step, path)


def step_of(path: Path) -> int:
    """The step of which all is: weights, moments and losses."""
    model = model_of(0, "relu")
    optimizer = optimizer_of(model, 0.0)
    losses = resume(model, optimizer, {"steps": 9}, path)
    steps: set[float] = {float(value["exp_avg"].flatten()[0]) for value in optimizer.state.values()}
    wanted: dict[str, Tensor] = model_of(len(losses), "relu").state_dict()
    assert steps == {len(losses)}
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in model.state_dict().items())
    return len(losses)


def test_a_checkpoint_is_of_one_step_at_every_call(tmp_path: Path) -> None:
    path = tmp_path / "run"
    found = [step_of(path) for _ in killed_at_every_call(lambda: kept_by(1, path), lambda: kept_by(2, path))]

    assert found == sorted(found)
    assert set(found) == {1, 2}
    kept_by(3, path)
    assert names_in(tmp_path) == ["run"]


@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_a_checkpoint_after_kills_at_random(tmp_path: Path, count: int) -> None:
    path = tmp_path / "run"

    def keep_two() -> None:
        for step in (1, 2):
            kept_by(step, path)

    keep_two()
    for _ in killed_at_random(count, keep_two, longest=0.02):
        assert step_of(path) in (1, 2)
    keep_two()
    assert names_in(tmp_path) == ["run"]


def test_a_config_that_was_edited_by_hand_counts(tmp_path: Path) -> None:
    save_model(model_of(1, "relu"), tmp_path)
    save_model(model_of(2, "gelu"), tmp_path)
    edited = (tmp_path / "config.json").read_text().replace('"gelu"', '"silu"')
    (tmp_path / "config.json").write_text(edited)

    assert load_model(tmp_path).config.activation == "silu"


def test_the_config_that_tensors_carry_is_taken_with_a_word_about_it(tmp_path: Path) -> None:
    save_model(model_of(1, "relu"), tmp_path)
    before = (tmp_path / "config.json").read_bytes()
    save_model(model_of(2, "gelu"), tmp_path)
    (tmp_path / "config.json").write_bytes(before)

    with pytest.warns(UserWarning, match=rf"{tmp_path / 'config.json'} is of an older save than model.safetensors"):
        loaded = load_model(tmp_path)

    assert loaded.config.activation == "gelu"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_model(model_of(2, "gelu"), tmp_path)
        assert load_model(tmp_path).config.activation == "gelu"


def test_tensors_carry_a_config_only_where_it_replaces_another(tmp_path: Path) -> None:
    for seed in (1, 2):
        save_model(model_of(seed, "relu"), tmp_path)

    _, metadata = read_tensors(tmp_path / "model.safetensors")
    assert metadata == {"format": "pt"}


def test_who_reads_while_another_saves_gets_one_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, tensors = tmp_path / "config.json", tmp_path / "tensors"

    def write(number: int) -> None:
        write_both(config, {"number": number}, tensors, {"number": torch.tensor(number)})

    write(0)
    started = []

    def slowly(path: Path):
        found = read_json(path)
        if not started:
            started.append(True)
            write(1)
        return found

    monkeypatch.setattr("transformer.learning.formats.read_json", slowly)
    values, numbers = read_both(config, tensors)

    assert values["number"] == numbers["number"] == 1


def test_what_killed_runs_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead, living = int(gone.stdout), os.getppid()
    removed = [f".file.{dead}.part", f".file.1.{dead}.part", ".file.99999999999999999999.part"]
    kept = [f".file.{living}.part", f".other.{dead}.part", ".file.notes.part", f".file.{dead}.txt", "file.part"]
    for name in removed + kept:
        (tmp_path / name).touch()

    write_bytes(tmp_path / "file", b"new")

    assert names_in(tmp_path) == sorted([*kept, "file"])


def test_a_living_neighbour_that_writes_the_same_file_is_left_alone(tmp_path: Path) -> None:
    code = "import sys, os, pathlib; p = pathlib.Path(sys.argv[1], f'.file.{os.getpid()}.part'); p.touch(); input()"
    neighbour = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE)
    part = tmp_path / f".file.{neighbour.pid}.part"
    while not part.exists():
        assert neighbour.poll() is None

    write_bytes(tmp_path / "file", b"new")
    still_there = part.exists()
    neighbour.send_signal(signal.SIGKILL)
    neighbour.communicate()
    write_bytes(tmp_path / "file", b"newer")

    assert still_there
    assert names_in(tmp_path) == ["file"]
