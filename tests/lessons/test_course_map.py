"""README's map of the lessons is what the lessons and their notebooks say."""

from pathlib import Path

import pytest

pytest.importorskip(
    "jupytext", reason="the notebooks' tools are not installed: pip install finetune-by-hand[notebooks]"
)

import nbformat

from lessons.exercises.course import LESSONS, PARTS
from lessons.teaching import course_map
from lessons.teaching.course_map import BEGIN, END, README, finding, minutes, question, with_map


def picture(title: str, kept: bool = True):
    data = {"image/png": "aGk=", "text/plain": f"[figure: {title}]" if kept else "<IPython.core.display.Image object>"}
    return nbformat.v4.new_output("display_data", data)


def built(folder: Path, *cells) -> Path:
    """A notebook of headings (words) and outputs (pictures)."""
    made = [
        nbformat.v4.new_markdown_cell(each) if isinstance(each, str) else nbformat.v4.new_code_cell("", outputs=[each])
        for each in cells
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=made), folder / "kept.ipynb")
    return folder / "kept.ipynb"


@pytest.fixture
def kept_in(tmp_path, monkeypatch):
    def keep(*cells):
        monkeypatch.setattr(course_map, "notebook_of", lambda source: built(tmp_path, *cells))
        return finding(tmp_path / "03_some.py")

    return keep


def test_the_finding_is_the_title_of_the_first_figure_of_an_experiment(kept_in):
    cells = ["## The picture", picture("A drawing"), "## Experiment: one", picture("It rises\nto 3 %")]
    assert kept_in(*cells, "## Experiment: two", picture("It falls")) == "It rises\nto 3 %"


def test_a_notebook_without_titles_or_without_experiments_has_no_finding(kept_in, tmp_path, monkeypatch):
    assert kept_in("## Experiment: one", picture("It rises", kept=False)) == ""
    assert kept_in("## The picture", picture("A drawing")) == ""
    monkeypatch.setattr(course_map, "notebook_of", lambda source: tmp_path / "none.ipynb")
    assert finding(tmp_path / "03_some.py") == ""


def test_minutes_and_question_are_those_of_the_head(tmp_path):
    head = '# %% [markdown]\n"""\n# 3. Some\n\n**The question.** It is so. Is *that* so?\n\n{time}\n"""\n'
    source = tmp_path / "03_some.py"
    source.write_text(head.format(time="**Time:** 25 minutes. **Before it:** nothing."), encoding="utf-8")
    assert (minutes(source), question(source)) == ("25", "Is *that* so?")
    source.write_text('# %% [markdown]\n"""\n# 3. Some\n"""\n', encoding="utf-8")
    assert (minutes(source), question(source)) == ("", "")


def test_a_figure_leaves_its_title_in_the_notebook(monkeypatch):
    from IPython import display

    from lessons.teaching import figures

    shown = {}
    monkeypatch.setattr(figures, "in_notebook", lambda: True)
    monkeypatch.setattr(display, "display", lambda data, **options: shown.update(data=data, **options))
    figure, axis = figures.new_figure()
    axis.plot([1, 2])

    figures.show_figure(figure, title="It rises to {top}", alt="A line.", top=2)

    assert shown["data"]["text/plain"] == "[figure: It rises to 2]"
    assert shown["metadata"]["image/png"]["alt"] == "A line."


def test_parts_begin_at_lessons_of_the_course():
    assert set(PARTS) <= set(LESSONS)


def test_a_readme_without_the_markers_is_refused():
    with pytest.raises(ValueError, match="lacks the lines"):
        with_map(f"# Title\n{BEGIN}\n")
    assert with_map(f"{BEGIN}old{END}\nafter, 3 lessons, 4 exercises").endswith(
        f"after, {len(LESSONS)} lessons, {len(course_map.all_exercises())} exercises"
    )


def test_readme_holds_the_present_map():
    readme = README.read_text(encoding="utf-8")
    assert with_map(readme) == readme, "python -m lessons.teaching.course_map"
