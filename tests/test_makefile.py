"""What `make` says, after an installation how to go on and nothing of it before another target's work; what it hands on."""

import importlib
import os
import shutil
import subprocess
import sys

import pytest

from lessons.exercises.source import LIBRARY

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not here")


def said(target):
    """What the target would do where everything is installed already."""
    made = subprocess.run(
        ["make", "-n", "-o", ".venv/.installed", target], cwd=LIBRARY, capture_output=True, text=True, check=True
    )
    return [line.removeprefix("echo ").strip('"') for line in made.stdout.splitlines() if line.startswith("echo ")]


def test_an_installation_ends_by_saying_how_to_go_on():
    lines = said("install")

    assert len(lines) == 3
    assert "activate" in lines[1]
    assert "python -m lessons" in lines[2]
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("target", ["test", "lint", "demo"])
def test_who_asks_for_something_else_is_not_told(target):
    assert not said(target)


def test_python_keeps_its_bytecode_even_where_an_image_forbids_it(tmp_path):
    more = tmp_path / "more.mk"
    more.write_text("shown:\n\t@env\n")

    made = subprocess.run(
        ["make", "-s", "-f", "Makefile", "-f", str(more), "shown"],
        cwd=LIBRARY,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "PATH=" in made.stdout
    assert "PYTHONDONTWRITEBYTECODE" not in made.stdout


@pytest.mark.parametrize("path", sorted((LIBRARY / "tests/benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_a_benchmark_finds_what_it_imports(path):
    importlib.import_module(f"tests.benchmarks.{path.stem}")


def test_the_parts_are_measured_as_the_fast_step_calls_them(monkeypatch, capsys):
    bench_parts = importlib.import_module("tests.benchmarks.bench_parts")
    monkeypatch.setattr(bench_parts, "REPEAT", 1)
    monkeypatch.setattr(sys, "argv", ["bench_parts", "--rounds", "1"])

    bench_parts.main()

    assert capsys.readouterr().out.count("as the fast step makes") == 4
