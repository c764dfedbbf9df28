"""Chinese beside English: an edit makes one entry fuzzy, what an entry must hold is checked, and the notebook is the same run."""

import hashlib
import io
import json
import re
from base64 import b64encode
from collections import Counter
from functools import cache

import nbformat
import pytest

pytest.importorskip("polib", reason="the translations' tool is not installed: pip install finetune-by-hand[translate]")
pytest.importorskip(
    "jupytext", reason="the notebooks' tools are not installed: pip install finetune-by-hand[notebooks]"
)

from lessons.experiments.choosing import prices
from lessons.experiments.choosing_beside import agreement_table
from lessons.experiments.clinic import symptoms
from lessons.language.blocks import entries, translated
from lessons.teaching import redrawn
from lessons.teaching.notebooks import NOTEBOOKS, sources
from lessons.teaching.redrawn import decoded
from lessons.teaching.said import record
from lessons.translate import assemble, command, glossary, po
from lessons.translate.assemble import MARK, ZH_NOTEBOOKS, in_chinese, readme_in_chinese, speaker, teller
from lessons.translate.checks import complaints, numbers
from lessons.translate.command import problems
from lessons.translate.po import ZH, Text, read_po, update, write_po
from lessons.translate.spoken import spoken
from lessons.translate.texts import README, around_map, names, texts
from lessons.translate.words import VALUES

PAGE = """# 3. Attention

A *query* asks,
and keys answer.

- one
  more
- two

$$a = b$$

```python
x = 1

y = 2
```

<details><summary>Why?</summary>

| a | b |
|---|---|

</details>"""


def test_a_page_is_cut_into_what_is_translated_and_what_stays():
    assert entries(PAGE) == [
        "# 3. Attention",
        "A *query* asks, and keys answer.",
        "- one more\n- two",
        "<details><summary>Why?</summary>",
        "| a | b |\n|---|---|",
    ]
    spoken = translated(PAGE, str.upper)
    assert "$$a = b$$" in spoken
    assert "x = 1\n\ny = 2" in spoken
    assert "</details>" in spoken
    assert "A *QUERY* ASKS, AND KEYS ANSWER." in spoken


def entry_of(english):
    return Text(english, "paragraph", ("a.py", 1))


def chinese(*pairs):
    found = update(po.polib.POFile(), [entry_of(english) for english, _ in pairs])
    for entry, (_, said) in zip(found, pairs, strict=True):
        entry.msgstr = said
    return found


def test_an_edit_makes_its_own_entry_fuzzy_and_nothing_else():
    kept = chinese(
        ("The rank is small.", "秩很小。"), ("A is drawn at random.", "A 随机取值。"), ("B is zero.", "B 为零。")
    )
    new = update(
        kept,
        [entry_of("The rank is very small."), entry_of("A is drawn at random."), entry_of("C is new here, and long.")],
    )
    found = {entry.msgid: (entry.msgstr, entry.flags, entry.obsolete) for entry in new}
    assert found == {
        "The rank is very small.": ("秩很小。", ["fuzzy"], False),
        "A is drawn at random.": ("A 随机取值。", [], False),
        "C is new here, and long.": ("", [], False),
        "B is zero.": ("B 为零。", [], True),
    }
    assert next(iter(new)).previous_msgid == "The rank is small."


def test_an_edited_sentence_of_a_lesson_is_a_problem_until_its_chinese_follows(monkeypatch):
    lesson = "01_fine_tuning"
    kept = texts(lesson)
    edited = [Text(f"{kept[1].english} And more.", *text_rest(kept[1])), *kept[2:]]
    monkeypatch.setattr(command, "texts", lambda name: [kept[0], *edited])
    assert any("no entry for" in line and "The question" in line for line in problems(lesson))


def text_rest(text):
    return text.kind, text.place


def test_what_is_written_is_read_again_and_updating_it_changes_nothing(tmp_path):
    kept = chinese(("Two\nlines", "两\n行"), ('A "quote" and \\ {x:.1f}', "“引号”和 \\ {x:.1f}"))
    write_po(kept, tmp_path / "a.po")
    first = (tmp_path / "a.po").read_bytes()
    again = update(read_po(tmp_path / "a.po"), [entry_of("Two\nlines"), entry_of('A "quote" and \\ {x:.1f}')])
    write_po(again, tmp_path / "a.po")
    assert (tmp_path / "a.po").read_bytes() == first


UNEQUAL = {
    "a formula": ("The rank is $r$.", "秩是 $k$。", "formula lost: $r$"),
    "code": ("Call `train`.", "调用 `run`。", "code lost: `train`"),
    "a link": ("See [this](13_lora.ipynb).", "见[此处](14_lora.ipynb)。", "link lost: 13_lora.ipynb"),
    "a number": ("Of 1,000 words", "共 100 个单词", "number lost: 1,000"),
    "a value": ("It has {share:.1f} %.", "有 {share:.0f} %。", "value lost: {share:.1f}"),
    "a heading": ("## The idea", "### 想法", "level of the heading"),
    "an item": ("- one\n- two", "- 一", "items of the list: 2 in English, 1 in Chinese"),
    "a cell": ("| a | b |\n|---|---|", "| 甲 |\n|---|---|", "cells of the table"),
    "a tag": ("<details><summary>Why?</summary>", "<details>为什么？", "tag lost: <summary>"),
    "a term": ("Quantization loses bits.", "压缩会丢失比特。", "'quantization' is 量化 in the glossary"),
    "a comma": ("First, this.", "首先,这个。", "half-width punctuation behind Chinese"),
    "a bracket": ("A word (a thing)", "一个词 (一物)", "half-width punctuation behind Chinese"),
    "a space": ("The base", "基座base", "a space is missing in 座b"),
    "a space beside code": ("Call `train`", "调用`train`", "a space is missing"),
    "a space too many": ("One, two", "一， 二", "a space beside full-width punctuation"),
    "stars that do not open": ("It is **“low” rank**", "它是**“低”秩**", "Markdown does not open"),
    "a large number": ("Of 7 billion", "共 7 亿", "number lost: 7e+09"),
    "stars that stay open": ("**Low rank.** It is", "**低秩。**它是", "Markdown does not close"),
}


@pytest.mark.parametrize(("english", "said", "complaint"), UNEQUAL.values(), ids=UNEQUAL)
def test_what_is_lost_or_odd_in_an_entry_is_named(english, said, complaint):
    assert any(complaint in found for found in complaints(english, said)), complaints(english, said)


WELL = [
    (
        "The rank is $r$, see `LoraConfig` in [lesson 13](13_lora.ipynb).",
        "秩是 $r$，见[第 13 课](13_lora.ipynb)中的 `LoraConfig`。",
    ),
    ("Of 1,000 words {share:.1f} % are wrong.", "在 1,000 个单词中，{share:.1f} % 是错的。"),
    ("**Quantization** (4 bits) loses little.", "**量化**（4 位）损失很小。"),
    ("- one\n- two", "- 一\n- 二"),
    ("**Time:** 35 minutes. **Before it:** this.", "**用时：** 35 分钟。**先修：** 这个。"),
    ("| a (b) |", "| 甲（乙） |"),
    ("A model of 7 billion, 1.4 million", "70 亿、140 万的模型"),
]


@pytest.mark.parametrize(("english", "said"), WELL)
def test_what_is_well_is_let_pass(english, said):
    assert complaints(english, said) == []


HEAD = b'msgid "first"\nmsgstr "\xe4\xb8\x80"\n\n'
DAMAGED = {
    "cut in a text": (HEAD + b'msgid "a"\nmsgstr "b', "line 5, of the entry 'a', is damaged: 'msgstr"),
    "a line of its own": (HEAD + b'msgid "a"\nmsgstr "b"\nlost\n', "line 6, of the entry 'a', is damaged: 'lost'"),
    "another encoding": (
        b'msgid "a"\nmsgstr "' + "中文".encode("gb18030") + b'"\n',
        "line 2, of the entry 'a', is not UTF-8",
    ),
    "two bytes to a letter": ('msgid "a"\nmsgstr "中文"\n'.encode("utf-16"), "line 1 is not UTF-8"),
    "something else": (b"PK\x03\x04", "line 1 is of no .po file"),
    "twice": (HEAD + b'msgid "a"\nmsgstr "b"\n\nmsgid "a"\nmsgstr "c"\n', "of the entry 'a', is damaged"),
    "no English before it": (HEAD + b'msgstr "b"\n', "line 4, of the entry 'first', is damaged"),
}


@pytest.mark.parametrize(("data", "complaint"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_in_one_line_that_names_it_its_line_and_its_entry(tmp_path, data, complaint):
    (tmp_path / "a.po").write_bytes(data)
    with pytest.raises(ValueError, match=complaint) as raised:
        read_po(tmp_path / "a.po")
    assert str(tmp_path / "a.po") in str(raised.value)
    assert "\n" not in str(raised.value)


SPOILT = {
    "half saved: no Chinese": ("The rank is $r$.", "", "has no Chinese"),
    "half saved: its end is lost": ("- one\n- two", "- 一", "items of the list"),
    "its formula was edited": ("The rank is $r$.", "秩是 $k$。", "formula lost: $r$"),
    "its placeholder is lost": ("It has {n} letters.", "它有字母。", "value lost: {n}"),
    "its placeholder has another name": (
        "It has {n} letters.",
        "它有 {m} 个字母。",
        "value that the English has not: {m}",
    ),
}


@pytest.mark.parametrize(("english", "said", "complaint"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_entry_is_named_with_its_file_and_line(tmp_path, monkeypatch, capsys, english, said, complaint):
    first = "A is drawn at random."
    write_po(chinese((first, "A 随机取值。"), (english, said)), tmp_path / "a.po")
    monkeypatch.setattr(command, "po_of", lambda name: tmp_path / f"{name}.po")
    monkeypatch.setattr(command, "texts", lambda name: [entry_of(first), entry_of(english)])

    assert command.run_check(["a"]) == 1

    lines = (tmp_path / "a.po").read_text(encoding="utf-8").splitlines()
    msgid = next(number for number, line in enumerate(lines, 1) if english[:5] in line) - english.count("\n")
    told = capsys.readouterr().out
    assert complaint in told
    assert told.startswith(f"a.po:{msgid - 2}: {english.splitlines()[0][:5]!r}"[:-1])  # where its comments begin


def test_a_byte_order_mark_changes_nothing(tmp_path):
    (tmp_path / "a.po").write_bytes(b"\xef\xbb\xbf" + HEAD)
    assert [entry.msgstr for entry in read_po(tmp_path / "a.po")] == ["一"]


def notebook():
    said = record("prose", ["It has {n} letters."], {"n": 3})
    box = record("said_and_so", ["One says {n}.", "It is so.", "The figure"], {"n": 3})
    figure = record("show_figure", ["It rises to {n}", "A curve up to {n}"], {"n": 3})
    shown = [
        nbformat.v4.new_output("stream", name="stdout", text="3\n"),
        nbformat.v4.new_output("display_data", {"text/markdown": "It has 3 letters."}, metadata={"said": said}),
        nbformat.v4.new_output("display_data", {"text/html": "..."}, metadata={"said": box}),
        nbformat.v4.new_output(
            "display_data", {"image/png": "AAAA"}, metadata={"said": figure, "image/png": {"alt": "A curve up to 3"}}
        ),
    ]
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\nSee [it](../data/README.md).\n\nNew."),
        nbformat.v4.new_code_cell("print(3)", outputs=shown),
    ]
    return nbformat.v4.new_notebook(cells=cells)


KNOWN = {
    "# Title": "# 标题",
    "See [it](../data/README.md).": "见[此处](../data/README.md)。",
    "It has {n} letters.": "它有 {n} 个字母。",
    "One says {n}.": "据说是 {n}。",
    "It is so.": "确实如此。",
    "The figure": "见图",
    "It rises to {n}": "升到 {n}",
    "A curve up to {n}": "升到 {n} 的曲线",
    "It is said": "据说",
    "Shown by": "依据",
}


def test_the_chinese_notebook_has_the_same_code_and_outputs_in_chinese_words():
    english = notebook()
    made = in_chinese(english, lambda text: KNOWN.get(text, f"{text}{MARK}"), {}.get)
    assert made.cells[0].source == f"# 标题\n\n见[此处](../../data/README.md)。\n\nNew.{MARK}"
    assert made.cells[1].source == "print(3)"
    stream, prose, box, title, picture = made.cells[1].outputs
    assert stream == english.cells[1].outputs[0]
    assert prose.data["text/markdown"] == "它有 3 个字母。"
    assert "据说是 3。" in box.data["text/html"]
    assert f"It is so{MARK}" in box.data["text/html"]
    assert title.data["text/markdown"] == "**升到 3**"
    assert picture.data["image/png"] == english.cells[1].outputs[3].data["image/png"]
    assert picture.metadata["image/png"]["alt"] == "升到 3 的曲线"


def test_words_among_the_values_and_inside_a_figure_are_told_too():
    said = record("prose", ["It {is} the base."], {"is": "is level with"})
    table = record("show_table", ["", ""], {"lines": [["technique", "merges"], ["lora", "yes"]]})
    figure = record("show_figure", ["It rises", "A curve"], {}, ["learning rate", "tomato"])
    prose, grid, title, _, below = [
        output
        for each in (
            nbformat.v4.new_output("display_data", {"text/markdown": "..."}, metadata={"said": said}),
            nbformat.v4.new_output("display_data", {"text/markdown": "..."}, metadata={"said": table}),
            nbformat.v4.new_output(
                "display_data", {"image/png": "AAAA"}, metadata={"said": figure, "image/png": {"alt": "A curve"}}
            ),
        )
        for output in spoken(each, {**KNOWN_WORDS, **KNOWN}.get, {**KNOWN_WORDS, **KNOWN}.get)
    ]
    assert prose.data["text/markdown"] == "它持平于基座。"
    assert grid.data["text/markdown"] == "| 方法 | 可合并 |\n|---|---:|\n| lora | 是 |"
    assert title.data["text/markdown"] == "**上升**"
    assert below.data["text/markdown"] == "图中文字：learning rate = 学习率。"


@pytest.mark.slow
def test_an_edited_symptom_of_the_clinic_is_no_word_of_the_course_any_more():
    told = {cell for line in (*symptoms(), *agreement_table(), prices()[0]) for cell in line}
    assert {cell for cell in told if re.search(r"[a-z]{2} [a-z]{2}", cell) and "](" not in cell} <= set(VALUES)


KNOWN_WORDS = {
    "It {is} the base.": "它 {is} 基座。",
    "is level with": "持平于",
    "technique": "方法",
    "merges": "可合并",
    "yes": "是",
    "It rises": "上升",
    "A curve": "曲线",
    "learning rate": "学习率",
    "In the figure: {words}.": "图中文字：{words}。",
    "": "",
}


@pytest.mark.parametrize("name", names())
def test_everything_that_is_read_can_be_taken_apart_and_told(name):
    found = texts(name)
    assert found
    assert all(text.english.strip() for text in found)


@pytest.fixture(scope="module")
def read_once():
    """What all notebooks share, read once, and pictures made without the search for the fewest bytes."""

    def encoded(image):
        file = io.BytesIO()
        image.save(file, format="png", compress_level=1)
        return b64encode(file.getvalue()).decode("ascii")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(assemble, "translations", cache(assemble.translations))
        patched.setattr(redrawn, "encoded", encoded)
        yield


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize(
    "source",
    [
        pytest.param(each, marks=[pytest.mark.slow] if number % 4 else [], id=each.stem)
        for number, each in enumerate(sources())
    ],
)
def test_a_kept_chinese_notebook_is_the_english_one_in_chinese(source):
    """Cell for cell the same code, numbers and pictures: `python -m lessons translate build` makes it."""
    english = nbformat.read(NOTEBOOKS / f"{source.stem}.ipynb", as_version=4)
    kept = nbformat.read(ZH_NOTEBOOKS / f"{source.stem}.ipynb", as_version=4)
    assert [cell.source for cell in kept.cells if cell.cell_type == "code"] == [
        cell.source for cell in english.cells if cell.cell_type == "code"
    ]
    made = in_chinese(english, speaker(source.stem), teller())
    assert without_encoding(kept) == without_encoding(made)


def without_encoding(notebook):
    """The notebook with its pictures' dots: one zlib writes the same dots in other bytes than another."""
    text = nbformat.writes(notebook)
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if png := output.get("data", {}).get("image/png"):
            dots = hashlib.sha256(decoded(png).convert("RGB").tobytes()).hexdigest()
            text = text.replace(json.dumps(png), dots)
    return text


def test_the_kept_chinese_glossary_is_of_this_glossary():
    kept = glossary.CHINESE.read_text(encoding="utf-8")
    assert kept == glossary.glossary_in_chinese(speaker("glossary"))
    assert MARK not in kept


def test_the_kept_chinese_readme_is_of_this_readme():
    assert README.with_name("README.zh.md").read_text(encoding="utf-8") == readme_in_chinese(speaker("README"))


def test_both_readmes_have_the_same_sections_tables_code_and_numbers():
    english, chinese = (path.read_text(encoding="utf-8") for path in (README, README.with_name("README.zh.md")))
    for parts in (heading_levels, table_shapes, code_lines, numbers_in_tables):
        assert parts(english) == parts(chinese), parts.__name__
    assert Counter(numbers(around_map(english)[1])) == Counter(numbers(around_map(chinese)[1]))


def heading_levels(page):
    return re.findall(r"^(#+) ", without_code(page), re.MULTILINE)


def table_shapes(page):
    return [line.count("|") for line in page.splitlines() if line.startswith("|")]


def code_lines(page):
    return re.findall(r"^```.*?^```$", page, re.MULTILINE | re.DOTALL) + re.findall(r"^    .*", page, re.MULTILINE)


def numbers_in_tables(page):
    return [sorted(numbers(line)) for line in "".join(around_map(page)).splitlines() if line.startswith("|")]


def without_code(page):
    return re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)


def test_no_po_file_is_left_of_what_is_gone():
    assert {path.stem for path in ZH.glob("*.po")} == set(names())


@pytest.mark.parametrize("name", names())
def test_every_text_has_its_chinese(name):
    """And changing one English sentence turns this red, until its Chinese follows."""
    assert problems(name) == []
