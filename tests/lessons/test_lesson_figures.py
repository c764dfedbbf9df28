"""A lesson's figure says what it found, can be read on a small screen, and hides nothing under its legend."""

import matplotlib as mpl
import pytest

from lessons.teaching import Sketch, new_figure, show_drawing, show_figure
from lessons.teaching.figures import WIDTH


@pytest.fixture(autouse=True)
def without_a_display():
    mpl.use("Agg")


def test_the_title_takes_values(capsys):
    figure, axis = new_figure()
    axis.plot([0, 1], [0, 1])
    show_figure(figure, title="It rises to {top:.1f}", alt="A line.", top=1)
    assert capsys.readouterr().out == "[figure: It rises to 1.0]\n"


@pytest.mark.parametrize(("title", "alt"), [("", "A line."), ("It rises", " ")])
def test_a_figure_without_its_texts_is_refused(title, alt):
    with pytest.raises(ValueError, match="a title that says what was found"):
        show_figure(new_figure()[0], title=title, alt=alt)


def test_a_figure_that_is_too_wide_is_refused():
    figure, _ = new_figure()
    figure.set_figwidth(WIDTH + 1)
    with pytest.raises(ValueError, match="inches wide"):
        show_figure(figure, title="It rises", alt="A line.")


@pytest.mark.parametrize("draw", ["plot", "scatter", "bar"])
def test_a_legend_over_data_is_refused(draw):
    figure, axis = new_figure()
    getattr(axis, draw)([0, 1, 2], [1, 1, 1], label="all")
    axis.set(xlim=(-1, 3), ylim=(0, 2))
    axis.legend(loc="center")
    with pytest.raises(ValueError, match="lies over its data"):
        show_figure(figure, title="It stays", alt="A level line.")
    figure, axis = new_figure()
    getattr(axis, draw)([0, 1, 2], [1, 1, 1], label="all")
    axis.set(ylim=(0, 3))
    axis.legend(loc="upper left")
    show_figure(figure, title="It stays", alt="A level line.")


def test_a_matrix_shows_its_numbers_with_the_first_row_on_top():
    sketch = Sketch(4, 3)
    place = sketch.matrix(1, 0, [[1.5, -2], [0, 4]], "W")
    at = {text.get_text(): text.get_position() for text in sketch.axis.texts}
    assert at["1.5"] == (1.5, 1.5)
    assert at["4"] == (2.5, 0.5)
    assert (place.left, place.right, place.top, place.bottom) == ((1, 1), (3, 1), (2, 2), (2, 0))


def test_a_drawing_is_of_the_courses_width_and_a_strip_has_no_numbers(capsys):
    sketch = Sketch(10, 2)
    sketch.strip(0, 0, [0.5, -0.5], "x")
    sketch.arrow((1, 1), (3, 1), "times W")
    box = sketch.box(3, 0, 2, 1, "softmax", learnt=True)
    assert {text.get_text() for text in sketch.axis.texts} >= {"times W", "softmax", "x", ""}
    assert "0.5" not in {text.get_text() for text in sketch.axis.texts}
    assert sketch.figure.get_figwidth() == WIDTH
    assert box.right == (5, 0.5)
    show_drawing(sketch.figure, title="x becomes a weight", alt="An arrow.")
    assert "x becomes a weight" in capsys.readouterr().out
