"""What the lessons show with: source that is the code, a figure that knows its boxes, boxes that say all three things."""

import inspect
import itertools

import pytest

import transformer.masks
from lessons.exercises.catalogue import all_exercises
from lessons.exercises.course import LESSONS
from lessons.teaching import exercises_of, lit_diagram, quick, said_and_so, show_source
from lessons.teaching.boxes import as_html
from lessons.teaching.diagram import as_png, draw_diagram
from lessons.teaching.kept import COLUMNS, kept_mean, kept_rows
from lessons.teaching.layout import BOXES, GROUPS, PLACES, TECHNIQUES, lit_places
from lessons.teaching.source import asked_by, source_of
from transformer import LayerNorm, causal_mask, scaled_dot_product_attention


@pytest.mark.parametrize(
    ("shown", "file", "begins"),
    [
        (LayerNorm, "transformer/add_norm.py", "class LayerNorm(nn.Module):"),
        (LayerNorm.forward, "transformer/add_norm.py", "def forward(self"),
        (causal_mask, "transformer/masks.py", "def causal_mask("),
        (transformer.masks, "transformer/masks.py", '"""Masks'),
    ],
)
def test_the_source_shown_is_the_text_of_the_file_that_runs(shown, file, begins):
    found, code = source_of(shown)
    assert found == file
    assert code.startswith(begins)
    assert all(line.strip() in inspect.getsource(inspect.getmodule(shown)) for line in code.splitlines())


def test_what_has_no_source_is_refused_by_name():
    with pytest.raises(TypeError, match=r"3\.5 has no source to show"):
        show_source(3.5)


def test_an_unknown_box_is_refused_with_all_that_there_are():
    with pytest.raises(ValueError, match=r"no 'atention'.*self_attention.*keys_values"):
        lit_diagram("atention")


def test_groups_light_their_boxes_and_everything_is_every_place():
    assert lit_places(("attention", "prompt")) == {"self_attention", "masked_attention", "cross_attention", "prompt"}
    assert lit_places(("everything",)) == set(PLACES)
    assert {place for group in GROUPS.values() for place in group} <= set(PLACES)


def dots(lit: set[str]) -> bytes:
    """The drawing before a PNG is made of it."""
    canvas = draw_diagram(lit).canvas
    canvas.draw()
    return bytes(canvas.buffer_rgba())


@pytest.fixture(scope="module")
def unlit() -> bytes:
    return dots(set())


@pytest.mark.parametrize("name", [*PLACES, *TECHNIQUES])
def test_every_name_changes_the_drawing(name, unlit):
    assert dots({name}) != unlit


@pytest.mark.parametrize(
    ("technique", "marks"), [("weights", 9 * 5), ("keys_values", 6 * 3), ("prompt", 3), ("adapter", 5)]
)
def test_a_technique_marks_each_of_its_places(technique, marks):
    plain, marked = (len(draw_diagram(lit).axes[0].patches) for lit in (set(), {technique}))
    assert marked - plain == marks


def test_the_figure_is_small_and_the_same_each_time():
    lit = lit_places(("everything", *TECHNIQUES))
    first = as_png(draw_diagram(lit))
    assert first == as_png(draw_diagram(lit))
    assert len(first) < 60_000


def test_boxes_of_a_column_stand_above_one_another():
    for column in {box.x for box in BOXES}:
        boxes = [box for box in BOXES if box.x == column]
        assert all(below.top < above.y for below, above in itertools.pairwise(boxes))


def test_a_plain_run_prints_the_box_and_needs_no_display(capsys):
    said_and_so("all is `well`", "1 < 2", "the figure")
    lit_diagram("softmax")
    printed = capsys.readouterr().out
    assert "all is `well`" in printed
    assert "1 < 2" in printed
    assert "lit: softmax" in printed


def test_a_box_without_its_proof_is_refused():
    with pytest.raises(ValueError, match="Shown by"):
        said_and_so("all is well", "it is", " ")


def test_the_box_takes_values_and_marks(capsys):
    said_and_so("it is *small*", "{share:.0f} % of `d`", "the figure", share=8.6)
    assert "9 % of `d`" in capsys.readouterr().out
    assert as_html("*small* < `a * b`, 2*3*4") == "<em>small</em> &lt; <code>a * b</code>, 2*3*4"


@pytest.mark.parametrize(
    ("shown", "asks"),
    [
        (scaled_dot_product_attention, "scaled_dot_product_attention"),
        (LayerNorm, "LayerNorm.forward"),
        (LayerNorm.forward, "LayerNorm.forward"),
        (transformer.masks, "padding_mask"),
    ],
)
def test_what_an_exercise_asks_for_is_known(shown, asks):
    assert asks in asked_by(shown).targets


def test_what_no_exercise_asks_for_is_not_folded():
    assert asked_by(source_of) is None
    assert asked_by(inspect) is None


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lessons_exercises_are_those_of_the_catalogue_with_their_commands(lesson, capsys):
    exercises_of(lesson)
    printed = capsys.readouterr().out
    for exercise in all_exercises().values():
        assert (f"start {exercise.name}\n" in printed) == (exercise.lesson == lesson)
    names = [exercise.name for exercise in all_exercises().values() if exercise.lesson == lesson]
    here = [
        f'Here in the notebook: from lessons import check, hint, start, then start("{name}").' for name in names[:1]
    ]
    assert printed.splitlines()[len(names) :] == here or not names


def test_no_such_lesson_is_said():
    with pytest.raises(ValueError, match="no lesson 99"):
        exercises_of(99)


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("0", False), ("", False), (None, False)])
def test_quick_is_what_the_environment_says(monkeypatch, value, expected):
    monkeypatch.delenv("FT_QUICK", raising=False)
    if value is not None:
        monkeypatch.setenv("FT_QUICK", value)
    assert quick() is expected


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
@pytest.mark.parametrize(
    ("column", "key", "unit"), [("peak, MB", "peak_memory_bytes", 1e6), ("seconds", "seconds", 1.0)]
)
def test_the_kept_runs_table_has_the_number_that_a_sentence_below_it_takes(method, column, key, unit):
    assert COLUMNS[column](kept_rows(method)).startswith(f"{kept_mean(method, key) / unit:,.0f} ± ")
