"""On the command line every mistake is one line, exit code 2, and comes before the work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lessons import __main__ as command_line
from lessons.exercises.grading import tree

ROOT = Path(command_line.__file__).resolve().parent.parent


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is said, in one line, of a command that does not begin its work."""
    assert command_line.main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"python -m lessons {arguments[0]}: ")
    assert len(told.err.splitlines()) == 1
    return told.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare", "--out", "FILE"],
        ["rlhf", "--out", "FILE"],
        ["memory", "--model", "gpt2", "--out", "FILE"],
        ["pretrain", "--out", "FILE"],
        ["benchmark", "--out", "FILE"],
        ["sentiment", "--out", "FILE"],
        ["release", "FILE"],
        ["grade", "FOLDER", "--out", "FILE"],
        ["compare", "--out", "FILE/below"],
    ],
    ids=" ".join,
)
def test_a_file_where_a_folder_is_wanted(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").write_text("mine")
    (tmp_path / "folder").mkdir()
    given = [each.replace("FILE", "a_file").replace("FOLDER", "folder") for each in arguments]

    assert "a_file is a file, and a folder is wanted: name another one" in refused(given, capsys)

    assert (tmp_path / "a_file").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a_file", "folder"]


@pytest.mark.parametrize(
    "arguments", [["amounts", "--out", "folder"], ["prefer", "--out", "folder"], ["pronounce", "word", "--figure", "folder"]], ids=" ".join
)  # fmt: skip
def test_a_folder_where_a_file_is_wanted(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()

    assert "folder is a folder, and a file is wanted: name one in it" in refused(arguments, capsys)


def test_release_where_the_tests_were_not_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tree, "LIBRARY", tmp_path)

    assert "run from a checkout" in refused(["release", "students"], capsys)


@pytest.mark.slow
def test_a_rates_file_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "rates.json").write_text("[]")

    assert "rates.json must hold an object" in refused(["search", "--file", str(tmp_path / "rates.json")], capsys)


def run(code: str, **settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False, **settings
    )


@pytest.mark.parametrize("package", ["rich", "torch"])
def test_a_python_without_the_packages_says_how_to_get_them(package: str):
    hidden = (
        f"import sys; sys.modules[{package!r}] = None; from lessons.__main__ import main; sys.exit(main(['doctor']))"
    )

    found = run(hidden)

    assert found.returncode == 2, found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert "`make install`" in found.stderr
    assert "`. .venv/bin/activate`" in found.stderr


def test_a_reader_that_has_seen_enough_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "w") as closed:
        found = subprocess.run(
            [sys.executable, "-m", "lessons", "help"], cwd=ROOT, stdout=closed, stderr=subprocess.PIPE, check=False
        )

    assert (found.returncode, found.stderr) == (0, b"")
