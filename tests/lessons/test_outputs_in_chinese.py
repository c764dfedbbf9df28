"""What outputs show, in Chinese: labels in the picture itself, printed lines in their columns, and no English left over."""

import json
import re
from base64 import b64encode
from functools import cache

import nbformat
import numpy as np
import pytest
from matplotlib.text import Text

pytest.importorskip("polib", reason="the translations' tool is not installed: pip install finetune-by-hand[translate]")
pytest.importorskip(
    "jupytext", reason="the notebooks' tools are not installed: pip install finetune-by-hand[notebooks]"
)

from lessons.drawing.chinese import lacking
from lessons.language.outputs import OUTPUTS, asked_in, printed, template_of, told
from lessons.language.po import po_of, translations
from lessons.teaching import redrawn as redrawing
from lessons.teaching.figures import drawn, new_figure
from lessons.teaching.notebooks import sources
from lessons.teaching.redrawn import decoded, laid_over, pixels, redrawn
from lessons.translate import seen
from lessons.translate.assemble import ZH_NOTEBOOKS
from lessons.translate.checks import CODE, FORMULA, LINK, TAG
from lessons.translate.command import problems
from lessons.translate.staying import SENTENCES

ENTRIES = {
    "top-k 3": "top-k {1}",
    "off by 0.125, 1,000 words": "off by {1}, {2} words",
    "result [[3. 2.]]": "result {1}",
    "tomato: on təˈmɑ, off 2e-3": "tomato: on {1}, off {2}",
    "{'a': [1, 2]} and 'q x'": "{1} and {2}",
    "row $W_{out}$": "row {1}",
    "Llama 3 8B, llama-7b": "Llama {1} 8B, llama-7b",
    "two\nlines": "two lines",
}


@pytest.mark.parametrize(("text", "entry"), ENTRIES.items())
def test_an_entry_is_the_words_without_their_numbers_and_names(text, entry):
    assert template_of(text)[0] == entry


KNOWN = {"the base": "基座", "loss {1} at step {2}": "第 {2} 步的损失 {1}", "step": "步", "weights {1}": "权重 {1}"}


def test_a_text_is_told_with_its_values_in_the_order_of_the_chinese():
    assert told("loss 0.5 at step 10", KNOWN.get) == "第 10 步的损失 0.5"
    assert told("never heard of", KNOWN.get) == "never heard of"


def test_printed_columns_stay_where_they_were():
    lines = "word   the base   kˈæt\nstep   weights [0.5, 1.0]   0.1\n"
    assert printed(lines, KNOWN.get) == "word   基座       kˈæt\n步     权重 [0.5, 1.0]      0.1\n"


def test_an_example_word_beside_its_sounds_is_not_asked_for():
    assert list(asked_in("word      base\ntomato    təˈmɑ\nthe base  təˈmɑ")) == ["word", "base", "the base"]
    assert list(asked_in("[1, 2]   True\nencoder.layers.0   0.5")) == []


WRAPPED = {"one word": "一个词"}
"""Two lines in the picture in both languages, and one in the record."""


@pytest.fixture
def figure(monkeypatch):
    words = {"learning rate": "学习率", "head {1}": "头 {1}", "from nothing": "从零开始", "feed forward": "前馈网络"}
    words |= WRAPPED
    monkeypatch.setattr(redrawing, "outputs_in_chinese", lambda: words)
    made, (left, right) = new_figure(columns=2)
    left.plot([0, 3], [0, 3], label="head 2")
    left.legend()
    left.set_xlabel("learning rate")
    right.bar(["lora", "from nothing"], [1, 2])
    right.text(0.0, 1.5, "feed\nforward")
    right.text(0.0, 0.5, "one\nword")
    made.suptitle("What was found", fontweight="bold")
    return made


def test_a_figure_is_drawn_once_more_in_chinese_where_it_stands(figure):
    english = b64encode(drawn(figure)).decode()
    overlay = json.loads(json.dumps(redrawn(figure)))
    words = {"head 2": "头 2", "learning rate": "学习率", "from nothing": "从零开始", "feed forward": "前馈网络"}
    assert overlay["words"] == words | WRAPPED
    assert "\n" in next(text.get_text() for text in figure.findobj(Text) if text.get_text().startswith("一"))
    made, wanted = np.asarray(decoded(laid_over(english, overlay))), pixels(figure)[overlay["top"] :]
    assert made.shape == wanted.shape
    assert abs(made.astype(int) - wanted).max() < 32  # the patch has few colours
    assert (made != np.asarray(decoded(english).convert("RGB"))[overlay["top"] :]).any(axis=2).mean() < 0.05


def test_the_title_is_cut_off_and_nothing_below_it(figure):
    overlay = redrawn(figure) if drawn(figure) else {}
    rows = pixels(figure).min(axis=(1, 2)) < 200
    assert 20 < overlay["top"] < np.flatnonzero(rows)[0]


def test_every_word_of_the_figures_has_its_letters():
    assert {word: lacking(word) for word in translations(po_of(OUTPUTS)).values() if lacking(word)} == {}
    assert lacking("龘") == "龘"


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """Writes the one notebook that there is, with these outputs."""
    monkeypatch.setattr(seen, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(seen, "sources", lambda: sources()[:1])
    kept = translations(po_of(OUTPUTS))

    def write(labels=(), cell="yes", line="", **more):
        figure = {"by": "show_figure", "texts": ["a", "b"], "values": {}, "labels": list(labels), **more}
        table = {"by": "show_table", "texts": ["", ""], "values": {"lines": [["technique"], [cell]]}}
        outputs = [{"output_type": "display_data", "metadata": {"said": said}} for said in (figure, table)]
        outputs.append({"output_type": "stream", "name": "stdout", "text": [line]})
        path = tmp_path / f"{sources()[0].stem}.ipynb"
        path.write_text(json.dumps({"cells": [{"outputs": outputs}, {}], "number": len(list(path.parent.iterdir()))}))
        return [line for line in problems(OUTPUTS) if "is obsolete" not in line]

    assert "learning rate" in kept
    return write


def test_a_new_label_cell_or_line_is_a_problem_until_its_chinese_stands_there(lesson):
    assert lesson(["learning rate", "head 7", "lora"], line="the base   4 beams\n") == []
    for change in ({"labels": ["learning rates"]}, {"cell": "perhaps"}, {"line": "the best   4 beams\n"}):
        (found,) = lesson(**change)
        assert found.startswith("outputs.po: no entry for")


def test_a_picture_with_older_words_is_a_problem_until_it_is_drawn_again(lesson):
    now = {"learning rate": translations(po_of(OUTPUTS))["learning rate"]}
    assert lesson(["learning rate", "lora"], overlay={"words": now}) == []
    (found,) = lesson(["learning rate"], overlay={"words": {"learning rate": "学习速率"}})
    assert "was drawn with other words than 'learning rate' has now; `python -m lessons.teaching.build 01`" in found


LEFT = re.compile(r"(?<![\w./-])[A-Za-z][a-z']+(?: [a-z']{2,}){2,}(?![\w(=])")
"""Three English words in a row."""

FENCED, PAPER = re.compile(r"```.*?```|<code>.*?</code>", re.DOTALL), re.compile(r"\[[^\]]*\]\(https?://[^)]*\)")
IN_A_PICTURE = "图中文字："
"""Begins the line that says what the words of a picture mean."""

STAYING = {
    "shortness of breath": "what SOB stands for in a hospital",
    "Merge lora module to 4-bit linear may get different generations due to rounding errors": "a warning, as it is printed",
    "that is exciting and fun": "an answer of an English model",
    "want to watch": "a question to it",
    "What is the capital of France": "what an English model is asked",
    "The capital of France is Paris": "what it answers",
    "enthus " * 12 + "enthus'": "what it answers without a part",
}
"""English that is meant, with its reason."""


def english_in(text):
    """What is left of English sentences in a text, without code, formulas, titles of papers, addresses and tags."""
    for pattern in (FENCED, CODE, FORMULA, PAPER, LINK, TAG):
        text = pattern.sub(" · ", text)
    return [found for line in text.split("\n") if not line.startswith(IN_A_PICTURE) for found in LEFT.findall(line)]


def shown(notebook):
    """What a reader reads besides the code: texts, and of each output the richest form."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield cell.source
        for output in cell.get("outputs", []):
            yield output.get("text", "")
            data = output.get("data", {})
            yield next((data[kind] for kind in ("text/html", "text/markdown", "text/plain") if kind in data), "")


@cache
def left_in(name):
    """In the kept notebook, which test_translate.py compares with what is made of the English one."""
    kept = nbformat.read(ZH_NOTEBOOKS / f"{name}.ipynb", as_version=4)
    return [found for text in shown(kept) for found in english_in(text)]


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.stem)
def test_no_english_sentence_is_left_in_a_chinese_notebook(source):
    left = left_in(source.stem)
    assert [found for found in left if not any(found in meant for meant in (*STAYING, *SENTENCES))] == []


def test_the_count_sees_english_and_passes_chinese_with_names():
    assert english_in("误差 the error of the base，第 3 步") == ["the error of the base"]
    assert english_in("用 LoRA 和 `the code of it` 训练 [A title of it](https://a.b/c)，[in words of it](a.md)") == [
        "in words of it"
    ]


def test_every_exception_of_the_count_is_needed():
    left = [found for source in sources() for found in left_in(source.stem)]
    assert [meant for meant in STAYING if not any(found in meant for found in left)] == []
