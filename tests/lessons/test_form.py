"""Every lesson has the form of the course (lessons/teaching/FORM.md), and the check of the form sees what it is for."""

import re

import pytest

pytest.importorskip(
    "jupytext", reason="the notebooks' tools are not installed: pip install finetune-by-hand[notebooks]"
)

from lessons.teaching.form import complaints, minutes_of
from lessons.teaching.notebooks import LESSONS, sources

EXEMPLAR = LESSONS / "03_attention.py"


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.stem)
def test_a_lesson_has_the_form(source):
    assert complaints(source) == []
    assert 5 <= minutes_of(source) <= 90


@pytest.mark.parametrize(
    ("pattern", "instead", "complaint"),
    [
        (r"\*\*The question\.\*\*", "Well.", "the first cell lacks **The question.**"),
        (r"\*\*Time:\*\*", "Long:", "the first cell lacks **Time:** N minutes"),
        (r"\*\*You will be able to\*\*", "You learn", "the first cell lacks **You will be able to**"),
        (r"## The idea", "## A thought", "no heading ## The idea"),
        (r"## The picture", "## The formula", "## The formula comes too early"),
        (r"show_drawing\(", "print(", "## The picture has no show_drawing(...)"),
        (r"said_and_so\(", "dict(", "never calls said_and_so"),
        (r"show_figure\(", "dict(", "never calls show_figure"),
        (r"<details>", "<div>", "## Three questions has not three answers"),
        (r'tags=\["hide-input"\]', "", "lines of code are shown, at most 60"),
        (r"## Summary\n", "## Summary\n#\n# It gains 7.5 % here.\n#", "a number typed into prose"),
        (r"## Summary\n", "## Summary\n#\n# The bend is dear.\n#", "'bend': rather non-linearity"),
        (r"## Summary\n", "## Summary\n#\n# As arXiv 1706.03762 says.\n#", "1706.03762 is no link"),
        (r"## Summary\n", "## Summary\n#\n# [Next](99_more.ipynb)\n#", "links to 99_more.ipynb, which is not there"),
        (r"https://arxiv", "arxiv", "fewer than three links"),
    ],
)
def test_what_breaks_the_form_is_named(pattern, instead, complaint, tmp_path):
    text = EXEMPLAR.read_text(encoding="utf-8")
    broken = re.sub(pattern, lambda _: instead, text)
    assert broken != text
    file = tmp_path / EXEMPLAR.name
    file.write_text(broken, encoding="utf-8")
    found = complaints(file)
    assert any(complaint in line for line in found), found


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        ('prose(f"{x} words", x=x)', "as plain strings"),
        ('prose("{x} words of {y}", x=1)', "has no value for y"),
        ('prose("{x} words", x=1, y=2)', "names no {y}"),
        ('prose("{x} words")', "has braces and no values"),
        ('show_figure(figure, title="It rises")', "needs title, alt"),
        ('prose("It gains 7.5 %, {x} in all", x=1)', "a number typed into prose"),
    ],
)
def test_a_template_that_hides_or_lacks_something_is_named(call, complaint, tmp_path):
    file = tmp_path / EXEMPLAR.name
    file.write_text(EXEMPLAR.read_text(encoding="utf-8") + f"\n# %%\nx = 1\n{call}\n", encoding="utf-8")
    assert [line for line in complaints(file) if complaint in line]


def test_a_tagged_cell_may_hold_typed_numbers(tmp_path):
    file, cell = tmp_path / EXEMPLAR.name, "\n# %% [markdown]{tag}\n# They report 7.5 %.\n"
    file.write_text(EXEMPLAR.read_text("utf-8") + cell.format(tag=""), encoding="utf-8")
    assert complaints(file)
    file.write_text(EXEMPLAR.read_text("utf-8") + cell.format(tag=' tags=["numbers"]'), encoding="utf-8")
    assert complaints(file) == []


def test_a_template_of_values_that_a_claim_returns_is_right(tmp_path):
    file = tmp_path / EXEMPLAR.name
    file.write_text(EXEMPLAR.read_text("utf-8") + '\n# %%\nprose("{x:.1f} % of {{W}}", **values())\n', encoding="utf-8")
    assert complaints(file) == []
