"""One style: colours that mean one thing, legends that cover nothing, means and pages that are made in one place."""

import struct
from pathlib import Path

import matplotlib
import pytest
from matplotlib import pyplot as plt

from lessons.compare import figures, trade_offs
from lessons.compare.kept import kept_report
from lessons.compare.report import comparison
from lessons.drawing import style
from lessons.drawing.families import FAMILIES, family
from lessons.drawing.means import mean_sd, shown
from lessons.drawing.page import picture, soft, table, write_page
from peft import RECIPES


def test_a_colour_means_one_thing():
    colours = [each.colour for name, each in FAMILIES.items() if name != "other"]
    colours += [style.BRITISH, style.AMERICAN, style.BEFORE]

    assert len({colour.lower() for colour in colours}) == len(colours)
    assert len({each.marker for each in FAMILIES.values()}) == len(FAMILIES)


def test_every_technique_is_drawn_with_its_family():
    assert {family(name).name for name in RECIPES} <= set(FAMILIES) - {"other", "no base"}
    assert family("scratch").name == "no base"
    assert family("a technique from outside").name == "other"


@pytest.mark.parametrize("module", ["compare", "benchmark", "sentiment", "preferences", "memory", "task"])
def test_no_figure_has_a_colour_of_its_own(module: str):
    for file in (Path(style.__file__).parents[1] / module).glob("*.py"):
        hexes = [word for word in file.read_text(encoding="utf-8").split('"') if len(word) == 7 and word[0] == "#"]
        assert {*hexes} <= {"#d9d9d9", "#dddddd"}, f"{file.name} names colours: {hexes}"  # two greys that mean nothing


@pytest.mark.parametrize("draw", [trade_offs.draw_price, trade_offs.draw_forgetting, figures.draw_learning])
def test_no_legend_lies_over_a_curve(draw):
    with matplotlib.rc_context(style.STYLE):
        figure = draw(comparison(kept_report()))
        figure.canvas.draw()
        legends = [*figure.legends, *(axis.get_legend() for axis in figure.axes if axis.get_legend())]
        assert legends
        for legend in legends:
            assert not any(legend.get_window_extent().overlaps(axis.patch.get_window_extent()) for axis in figure.axes)
        plt.close(figure)


def test_a_saved_figure_has_160_dots_per_inch_and_leaves_nothing_beside_it(tmp_path: Path):
    figure, _ = plt.subplots(figsize=(3, 2))

    data = style.saved(figure, tmp_path / "figure.png").read_bytes()

    assert struct.unpack(">II", data[16:24]) == (480, 320)
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]


def test_the_mean_of_the_seeds_is_shown_with_its_deviation():
    assert shown([1.0, 2.0, 3.0]) == "2.0 ± 1.0"
    assert shown([2.0]) == "2.0"
    assert shown([]) == shown([1.0, None]) == "–"
    assert mean_sd([4.0]) == (4.0, 0.0)


def test_a_page_stands_alone_and_shows_text_as_text(tmp_path: Path):
    (tmp_path / "figure.png").write_bytes(b"\x89PNG")
    parts = [soft("a < b"), table(["<x>"], [["<b>1</b>"]]), picture(tmp_path / "figure.png", "c & d")]

    text = write_page("A <title>", parts, tmp_path / "page.html").read_text(encoding="utf-8")

    assert "<title>A &lt;title&gt;</title>" in text
    assert "a &lt; b" in text
    assert "<th>&lt;x&gt;</th>" in text
    assert "<td><b>1</b></td>" in text
    assert 'alt="c &amp; d" src="data:image/png;base64,iVBORw=="' in text
