"""What the comparison tells: report.json, the table, the figures and the page."""

import html
import io
import json
import math
import re
from pathlib import Path

import pytest
from rich.console import Console

from lessons.compare import attention, figures, kept
from lessons.compare.page import parts, write_report
from lessons.compare.report import by_method, comparison, make_report
from lessons.compare.table import print_table, table_rows
from lessons.drawing.means import curve
from lessons.task.attention_map import letter_attention
from lessons.task.base import load_base
from tests.lessons import fake_rows

CONTRACT = {
    "method", "seed", "trainable_parameters", "trainable_percent", "adapter_bytes", "seconds", "peak_memory_bytes",
    "learning_rate", "british", "american", "american_disabled",
}  # fmt: skip


def printed(report: dict, width: int) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    print_table(comparison(report), console)
    return console.export_text()


def page(report: dict, rows: list[dict]) -> str:
    return "".join(parts(comparison(report), rows, []))


def test_report_json_holds_what_the_contract_names():
    report = json.loads(json.dumps(make_report(fake_rows.rows(), fake_rows.run())))

    assert set(report["base"]) == {"american", "british", "model_card"}
    assert report["base"]["british"] == {"phoneme_error": 0.875 / 4, "word_error": 0.875}
    assert [row["method"] for row in report["rows"]] == fake_rows.METHODS
    assert all(row.keys() >= CONTRACT for row in report["rows"])
    assert not any("said" in row for row in report["rows"])


def test_the_error_removed_is_counted_per_thousand_trained_parameters():
    report = make_report(fake_rows.rows(("bitfit", "scratch")), fake_rows.run())

    bitfit, scratch = report["rows"]
    assert bitfit["error_removed_per_1000_parameters"] == pytest.approx((0.875 - 0.4) / 4 / 0.768)
    assert scratch["error_removed_per_1000_parameters"] is None


def test_a_row_that_crashed_is_named_and_spoils_no_other():
    crashed = {"method": "dora", "seed": 0, "failed": "ValueError: too large [0]"}
    rows = [*fake_rows.rows(("lora", "bitfit")), crashed]

    report = make_report(rows, fake_rows.run())

    assert report["failed"] == [crashed]
    assert list(by_method(report)) == ["lora", "bitfit"]
    assert "dora (seed 0) failed: ValueError: too large [0]" in printed(report, 100)
    assert "dora (seed 0) failed: ValueError: too large [0]" in page(report, rows)


def test_several_seeds_are_shown_as_mean_and_standard_deviation():
    rows = fake_rows.rows(("lora",), seeds=3)

    report = make_report(rows, fake_rows.run(seeds=3))

    assert comparison(report).word_error["lora", "british"] == (pytest.approx(41.0), pytest.approx(1.0))
    assert "41.0 ± 1.0" in table_rows(comparison(report))[1]
    assert "41.0 ± 1.0" in printed(report, 120)


def test_a_technique_that_gains_less_than_its_spread_is_named():
    """Three seeds with a spread of one point: .864 + .01 lies below the base's .875, .866 + .01 does not."""
    rows = fake_rows.rows(("lora", "bitfit", "prompt_tuning"), seeds=3)
    for row, error in zip(rows[1:], 3 * [0.40, 0.854, 0.856], strict=True):
        row["british"] = fake_rows.error(error + 0.01 * row["seed"])

    report = make_report(rows, fake_rows.run(seeds=3))

    line = "No better at British words than the untouched base, by the seeds' spread: prompt_tuning."
    assert line in printed(report, 120)
    assert html.escape(line) in page(report, rows)
    assert "No better" not in printed(make_report(fake_rows.rows(), fake_rows.run()), 120)


def test_what_four_bits_alone_do_to_the_base_has_a_line_of_its_own():
    """Before any adapter: the errors of the base that a technique prepares, in both accents."""
    rows = fake_rows.rows(("lora", "qlora"))
    rows[-1] |= {"base_american": fake_rows.error(0.28), "base_british": fake_rows.error(0.888)}

    report = make_report(rows, fake_rows.run())

    four_bits = table_rows(comparison(report))[1]
    assert four_bits[:1] + four_bits[6:10] == ["base of qlora", "22.2", "88.8", "7.0", "28.0"]
    assert "base of qlora" in printed(report, 120)
    assert "<td>base of qlora</td>" in page(report, rows)
    assert "The base of qlora is the same base in 4 bits" in page(report, rows)
    assert "base of" not in printed(make_report(fake_rows.rows(("lora",)), fake_rows.run()), 120)
    assert "| the base of `qlora`, in 4 bits | | | | 22.2 | 88.8 | 7.0 | 28.0 |" in kept.markdown(report)


def test_peak_memory_is_said_for_what_it_is():
    rows = fake_rows.rows(("lora",))
    rows[1]["memory_before_bytes"] = 321e6

    report = make_report(rows, fake_rows.run())

    assert "with Python and PyTorch in it: 321 MB were there before training" in page(report, rows)
    assert "peak memory of the process, MB" in page(report, rows)


def test_the_short_table_and_the_folded_one_hold_every_line_once():
    report = make_report(fake_rows.rows(), fake_rows.run())

    short, others = (table(report).splitlines() for table in (kept.main_table, kept.other_table))

    assert [line.split("`")[1] for line in short[3:]] == [name for name in fake_rows.METHODS if name in kept.MAIN]
    assert short[:2] == others[:2] == kept.markdown(report).splitlines()[:2]
    assert sorted(short[2:] + others[2:]) == sorted(kept.markdown(report).splitlines()[2:])


def test_the_table_of_one_seed_fits_a_terminal_of_eighty_columns():
    text = printed(make_report(fake_rows.rows(), fake_rows.run()), 80)

    assert "…" not in text
    assert [line.split()[0] for line in text.splitlines() if line.split()[:1] and line.split()[0] in fake_rows.METHODS]


def test_a_curve_is_short_and_keeps_the_mean():
    losses = [1.0 / (step + 1) for step in range(137)]

    points = curve(losses, points=10)

    assert len(points) <= 11
    assert points[-1][0] == 137
    widths = [after - before for (before, _), (after, _) in zip([(0, 0.0), *points], points, strict=False)]
    total = sum(width * loss for width, (_, loss) in zip(widths, points, strict=True))
    assert math.isclose(total, sum(losses))


@pytest.mark.slow
def test_figures_are_drawn_and_the_page_needs_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    base_alone = {"base": letter_attention(load_base(), "forecast")}
    monkeypatch.setattr(figures, "attention_maps", lambda found, rows, folder: base_alone)
    rows = fake_rows.rows(("full", "lora", "scratch", "a_new_one"), seeds=2)
    report = make_report(rows, fake_rows.run(seeds=2))

    drawn = figures.draw_all(comparison(report), rows, tmp_path)
    html = write_report(comparison(report), rows, drawn, tmp_path / "report.html").read_text(encoding="utf-8")

    assert len(drawn) >= 4
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert html.count("data:image/png;base64,") == len(drawn)
    assert not re.search(r"https?:|<script|<link|@import", html)
    assert all(method in html for method in ("full", "lora", "a_new_one"))


def test_attention_of_a_sound_lies_on_the_letters():
    found = letter_attention(load_base(), "forecast")

    assert found.letters == [*"forecast", "end"]
    assert found.weights.shape == (len(found.sounds), len(found.letters))
    assert found.weights.sum(dim=1).allclose(found.weights.new_ones(()), atol=1e-4)


def test_the_word_that_is_drawn_was_learnt():
    before = {"bath": "bˈæθ", "schedule": "?", "castle": "kˈæsəl"}
    after = {"bath": "bˈɑθ", "schedule": "ʃˈɛdjul", "castle": "kˈɑsəl"}

    assert attention.telling_word(before, after) == "castle"
    assert attention.telling_word(before, before) == attention.WORD
