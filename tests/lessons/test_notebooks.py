"""The kept notebooks are their lessons, executed, with figures and without errors; a lesson that fails is named."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip(
    "jupytext", reason="the notebooks' tools are not installed: pip install finetune-by-hand[notebooks]"
)

import nbformat

from lessons.exercises.course import LESSONS
from lessons.teaching import build as build_notebooks
from lessons.teaching import notebooks

ROOT = Path(__file__).resolve().parents[2]
ALL = notebooks.sources()
every_lesson = pytest.mark.parametrize("source", ALL, ids=[source.stem for source in ALL])


def outputs_of(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def test_every_lesson_of_the_course_has_its_file():
    assert [int(source.stem[:2]) for source in ALL] == list(LESSONS)


@every_lesson
def test_a_lesson_begins_with_its_title(source):
    first = notebooks.read_lesson(source).cells[0].source
    assert first.startswith(f"# {int(source.stem[:2])}. {LESSONS[int(source.stem[:2])]}")


@every_lesson
def test_a_lesson_has_every_part(source):
    text, number = source.read_text(encoding="utf-8"), int(source.stem[:2])
    parts = ["lit_diagram(", "show_source(", "## By hand", "$", "usual mistakes", f"exercises_of({number})"]
    assert [part for part in parts if part not in text] == []
    reading = text.partition("## Where to read on")[2]
    assert re.search(r"\b\d{4}\.\d{4,5}\b", reading), "no paper with its number"


@every_lesson
def test_the_kept_notebook_is_in_step_with_its_source(source):
    assert notebooks.out_of_step(source) == ""


@every_lesson
def test_the_kept_notebook_was_executed_from_top_to_bottom_without_an_error(source):
    kept = nbformat.read(notebooks.notebook_of(source), as_version=4)
    counts = [cell.execution_count for cell in kept.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not [output for output in outputs_of(kept) if output.output_type == "error"]


@every_lesson
def test_the_kept_notebook_holds_a_figure_beside_the_famous_one(source):
    kept = nbformat.read(notebooks.notebook_of(source), as_version=4)
    images = [output for output in outputs_of(kept) if "image/png" in output.get("data", {})]
    assert len(images) >= 2


@every_lesson
def test_the_kept_notebook_holds_no_warning_no_machine_and_no_address(source):
    kept = nbformat.read(notebooks.notebook_of(source), as_version=4)
    outputs = outputs_of(kept)
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    texts = [output.get("text", "") + str(output.get("data", {}).get("text/plain", "")) for output in outputs]
    assert not [
        text for text in texts if re.search(r" at 0x[0-9a-f]{6}|/tmp/|/home/|site-packages", text) or str(ROOT) in text
    ]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes lessons into a folder of their own, and lets the command see these alone."""
    monkeypatch.setattr(notebooks, "LESSONS", tmp_path)
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path / "notebooks")

    def write(**lessons: str) -> Path:
        for name, text in lessons.items():
            (tmp_path / f"{name.removeprefix('lesson_')}.py").write_text(text)
        return tmp_path

    return write


GOOD = "# %% [markdown]\n# # Title\n\n# %%\nprint(6 * 7)\n"


def test_a_failing_lesson_is_named_with_its_cell_and_error_and_does_not_stop_the_others(written, capsys):
    folder = written(lesson_01_bad="# %%\nx = 1\n\n# %%\nprint(x / 0)\n", lesson_02_good=GOOD)
    assert build_notebooks.main([]) == 1
    printed = capsys.readouterr().out
    assert "FAILED in cell 2 ('print(x / 0)'): ZeroDivisionError: division by zero" in printed
    assert "1 of 2 lessons are well" in printed
    assert [file.name for file in (folder / "notebooks").iterdir()] == ["02_good.ipynb"]


def test_building_twice_gives_the_same_bytes_and_then_the_check_passes(written):
    folder = written(lesson_01_good=GOOD)
    built = [(build_notebooks.main(["1"]), (folder / "notebooks" / "01_good.ipynb").read_bytes()) for _ in range(2)]
    assert built[0] == built[1]
    assert built[0][0] == 0
    assert build_notebooks.main(["--check"]) == 0


def test_a_changed_source_is_out_of_step_and_said_where(written, capsys):
    folder = written(lesson_01_good=GOOD)
    build_notebooks.main([])
    (folder / "01_good.py").write_text(GOOD.replace("6 * 7", "6 * 8"))
    assert build_notebooks.main(["--check"]) == 1
    assert "01_good cell 2 differs: the source begins 'print(6 * 8)'" in capsys.readouterr().out


def test_a_hidden_cell_stays_folded_for_jupyter_colab_and_the_site(written):
    folder = written(lesson_01_good=GOOD.replace("# %%\n", '# %% tags=["hide-input"]\n'))
    assert build_notebooks.main([]) == 0
    (cell,) = [
        cell for cell in nbformat.read(folder / "notebooks" / "01_good.ipynb", 4).cells if cell.cell_type == "code"
    ]
    assert cell.metadata == {"tags": ["hide-input"], "jupyter": {"source_hidden": True}, "cellView": "form"}
    (folder / "01_good.py").write_text(GOOD)
    assert build_notebooks.main(["--check"]) == 1


@pytest.mark.slow
def test_a_figures_words_stay_beside_it(written):
    draw = 'from lessons.teaching import new_figure, show_figure\nshow_figure(new_figure()[0], title="It is {x}", alt="Empty.", x=1)\n'
    folder = written(lesson_01_good=GOOD + "\n# %%\n" + draw)
    assert build_notebooks.main([]) == 0
    (output,) = [
        each for each in outputs_of(nbformat.read(folder / "notebooks" / "01_good.ipynb", 4)) if "data" in each
    ]
    assert output.metadata["image/png"]["alt"] == "Empty."


def test_quick_tells_the_lesson_and_keeps_nothing(written):
    folder = written(lesson_01_quick='# %%\nimport os\n\nif os.environ["FT_QUICK"] != "1":\n    raise ValueError\n')
    assert build_notebooks.main(["--quick"]) == 0
    assert not (folder / "notebooks").exists()


def test_a_name_that_is_no_lesson_is_refused(written):
    written(lesson_01_good=GOOD)
    with pytest.raises(ValueError, match="no lesson 'nine'; there are 01_good"):
        build_notebooks.main(["nine"])


@pytest.mark.slow
@pytest.mark.alone
def test_every_lesson_runs_in_quick_form():
    command = [sys.executable, "-m", "lessons.teaching.build", "--quick", "--jobs", "2"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "FT_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def glossary_links() -> list[str]:
    text = (ROOT / "lessons" / "glossary.md").read_text(encoding="utf-8")
    return re.findall(r"\]\(([^)]+)\)", text)


def test_everything_that_the_glossary_links_to_exists():
    links = glossary_links()
    assert [link for link in links if not (ROOT / "lessons" / link).exists()] == []


def test_the_glossary_leads_to_every_lesson():
    linked = {Path(link).stem for link in glossary_links() if link.endswith(".ipynb")}
    assert sorted(linked) == sorted(source.stem for source in ALL)
