"""`python -m lessons`: every command is found, and every failure is one line and an exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lessons import __main__ as command_line

ROOT = Path(command_line.__file__).resolve().parent.parent


def test_help_lists_every_command_and_imports_none(capsys: pytest.CaptureFixture[str]):
    code = "import sys, lessons.__main__ as m; m.main(['--help']); print([n for n in ('torch', 'peft') if n in sys.modules])"

    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert all(f"  {name} " in run.stdout for name in command_line.COMMANDS)
    assert run.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("error", [ValueError, FileNotFoundError, ImportError])
def test_an_error_is_one_line_and_exit_code_2(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fails(arguments: list[str]) -> int:
        raise error(f"{arguments} is wrong: do that")

    monkeypatch.setattr(command_line, "find", lambda place: fails)

    assert command_line.main(["compare", "x"]) == 2

    assert capsys.readouterr().err == "python -m lessons compare: ['x'] is wrong: do that\n"


def test_ctrl_c_is_exit_code_130(monkeypatch: pytest.MonkeyPatch):
    def interrupted(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "find", lambda place: interrupted)

    assert command_line.main(["compare"]) == 130


def test_an_unknown_command_lists_those_there_are(capsys: pytest.CaptureFixture[str]):
    assert command_line.main(["comparre"]) == 2

    told = capsys.readouterr().err
    assert "no command 'comparre'" in told
    assert "compare" in told.split("usage:")[1]


def test_a_command_whose_file_is_missing_says_so():
    with pytest.raises(ImportError, match=r"lacks lessons/nothing_here\.py"):
        command_line.find("lessons.nothing_here:main")


def test_an_import_that_fails_inside_a_command_keeps_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "needs_more.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ModuleNotFoundError, match="a_package_that_nobody_has"):
        command_line.find("needs_more:main")


def test_every_command_stops_where_another_peft_comes_first(tmp_path: Path):
    (tmp_path / "peft").mkdir()
    (tmp_path / "peft" / "__init__.py").write_text("raise RuntimeError('it was run')\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}

    run = subprocess.run(
        [sys.executable, "-m", "lessons", "pronounce", "word"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert run.returncode == 2
    assert "not this project's hand-written peft" in run.stderr
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", command_line.COMMANDS)
def test_help_fits_eighty_columns(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("COLUMNS", "80")

    with pytest.raises(SystemExit, match="0"):
        command_line.main([name, "--help"])

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"usage: python -m lessons {name}")
    assert not [line for line in lines if len(line) > 80]


def test_notebooks_import_the_base_and_the_check_from_the_course_itself():
    from lessons import check, load_base

    assert load_base().config.attention == "fused"
    assert callable(check)


def test_the_overview_takes_another_workbook(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command_line.main(["--workbook", str(tmp_path)]) == 0

    shown = capsys.readouterr().out
    assert str(tmp_path) in shown.replace("\n", "")
    assert f"python -m lessons start trainable_numbers --workbook {tmp_path}" in shown.replace("\n", "")
