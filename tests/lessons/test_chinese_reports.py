"""The reports and figures in Chinese: who reads only Chinese finds no English word that is not a name or a datum."""

import io
import re
from html.parser import HTMLParser

import matplotlib
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from lessons.chat.comparing import command as chat_command
from lessons.chat.comparing import figures as chat_figures
from lessons.chat.comparing.kept import kept
from lessons.chat.comparing.page import parts as chat_parts
from lessons.compare import figures, trade_offs
from lessons.compare.attention import attention_maps
from lessons.compare.page import parts, write_report
from lessons.compare.report import comparison, make_report
from lessons.drawing import style
from lessons.drawing.chinese import lacking, texts_of
from lessons.drawing.style import saved
from lessons.language.choice import speaking
from lessons.language.message import prose_in
from lessons.language.outputs import has_words, template_of
from lessons.memory.plan import Setting, plan
from lessons.memory.show import bars
from lessons.preferences import figures as preference_figures
from lessons.preferences.kept import kept_report
from lessons.preferences.page import write_report as write_preferences
from lessons.preferences.tables import tables
from lessons.task.attention_map import draw_attention
from lessons.task.dictionary import words
from lessons.translate.staying import stays
from tests.lessons import fake_rows

HAN = re.compile(r"[\u4e00-\u9fff]")
NAMES = {*fake_rows.METHODS, *words("british", "test", fake_rows.WORDS), "lora_q4_1", "torch"}


def english_in(texts):
    """The texts that a reader of Chinese cannot read: without a Chinese character, or with three English words in a row."""
    return [text for text in texts if list(prose_in(text)) or not (HAN.search(text) or is_known(text))]


def is_known(text):
    bare = " ".join(word for word in text.split() if word not in NAMES)
    entry = template_of(bare)[0]
    return not has_words(entry) or stays(entry)


class Texts(HTMLParser):
    """What a reader meets: the texts, and what stands for a picture."""

    def __init__(self, page):
        super().__init__()
        self.found, self.inside = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.inside = tag
        self.found += [value for name, value in attributes if name == "alt"]

    def handle_data(self, data):
        if self.inside != "style" and data.strip():
            self.found.append(data.strip())


@pytest.fixture(autouse=True)
def chinese():
    with speaking("zh"):
        yield


@pytest.fixture
def drawn(monkeypatch):
    """The words of every figure that is saved, as they stand in the picture."""
    found = []

    def look(figure, path, **_):
        figure.canvas.draw()  # a tick has its words from then on
        found.extend(" ".join(text.get_text().split()) for text in texts_of(figure))
        path.touch()

    monkeypatch.setattr(Figure, "savefig", look)
    yield found
    assert {text: lacking(text) for text in found if lacking(text)} == {}


@pytest.fixture
def report():
    rows = fake_rows.rows(seeds=2)
    prepared = next(row for row in rows if row["method"] == "qlora")
    prepared |= {"base_american": fake_rows.error(0.28), "base_british": fake_rows.error(0.888)}
    rows[1]["memory_before_bytes"] = 321e6
    rows.append({"method": "dora", "seed": 0, "failed": "ended with exit code 1"})
    return make_report(rows, fake_rows.run(seeds=2)), rows


def test_the_comparisons_page_is_chinese(report, tmp_path):
    found, rows = report
    picture = tmp_path / "errors.png"
    picture.touch()
    page = write_report(comparison(found), rows, [picture], tmp_path / "report.html").read_text(encoding="utf-8")
    assert english_in(Texts(page).found) == []
    assert '<html lang="zh-CN">' in page
    assert "有变化的单词" in page
    with speaking("en"):
        assert "<h2>Words that changed</h2>" in "".join(parts(comparison(found), rows, []))


@pytest.mark.slow
def test_the_comparisons_figures_are_chinese(report, tmp_path, drawn):
    found = comparison(report[0])
    with matplotlib.rc_context(style.STYLE):
        maps = attention_maps(comparison(make_report(fake_rows.rows(()), fake_rows.run())), [], tmp_path)
        for figure in (
            figures.draw_errors(found),
            figures.draw_learning(found),
            trade_offs.draw_price(found),
            trade_offs.draw_forgetting(found),
            draw_attention([maps]),
        ):
            saved(figure, tmp_path / "a.png")
    assert english_in(drawn) == []
    assert "训练的参数（对数坐标）" in drawn


@pytest.mark.slow
def test_the_comparison_of_a_language_model_is_chinese(tmp_path, drawn, monkeypatch, capsys):
    found = kept() | {"failed": [{"method": "dora", "seed": 0, "failed": "ended with exit code 1"}]}
    pictures = chat_figures.draw_all(found, tmp_path)
    assert english_in(drawn) == []
    assert english_in(Texts("".join(chat_parts(found, pictures))).found) == []
    monkeypatch.setattr(chat_command, "draw_all", lambda *_: [])
    chat_command.show(found, tmp_path)
    told = capsys.readouterr().out
    cells = [piece for line in told.splitlines() for piece in re.split(r"\s{2,}", line) if str(tmp_path) not in piece]
    assert english_in(cells) == []
    assert len({len_in_cells(line) for line in told.split("\n\n")[0].splitlines()[2:]}) == 1, "a column is out of line"


def len_in_cells(line):
    return Console().measure(line.rstrip()).maximum


@pytest.mark.slow
def test_learning_from_preferences_is_told_in_chinese(tmp_path, drawn):
    found = kept_report()
    pictures = preference_figures.draw_all(found, tmp_path)
    page = write_preferences(found, pictures, tmp_path).read_text(encoding="utf-8")
    assert english_in(drawn) == []
    told = io.StringIO()
    for table in tables(found):
        Console(width=110, file=told).print(table)
    assert not [line for line in told.getvalue().splitlines() if list(prose_in(line))]
    assert "可以读一读的答案" in page


@pytest.mark.slow
def test_the_memory_of_a_model_is_drawn_in_chinese(tmp_path, drawn):
    saved(bars([plan(Setting("llama-7b", method)) for method in ("full", "qlora")]), tmp_path / "a.png")
    assert english_in(drawn) == []
