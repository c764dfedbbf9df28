"""The site: notebooks and sources become pages, and every page opens from disk, whole."""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="Sphinx is not installed: pip install finetune-by-hand[site]")

from lessons.chat.training.spelling import REQUEST
from lessons.clinic.case import GROUPS
from lessons.clinic.cases import CASES
from lessons.language.choice import speaking
from lessons.language.message import prose_in
from lessons.site.beside import as_html, page_of, parts
from lessons.site.clinic import clinic
from lessons.site.command import SETTINGS, main
from lessons.site.links import ROOT, relinked
from lessons.site.pages import SUBJECT, existing, glossary, results, teachers
from lessons.site.ways import exercises_of, lesson_of, mentions, nearest_test, ways
from lessons.teaching.notebooks import read_lesson, sources
from lessons.teaching.said import in_english
from lessons.translate.assemble import MARK, speaker
from lessons.translate.glossary import ENGLISH, cells_of
from lessons.translate.staying import stays
from lessons.translate.texts import COURSE
from tests.lessons.accessible import violations
from tests.lessons.page_browser import chromium

sys.path.insert(0, str(SETTINGS))

from accessible import accessible
from docstrings import as_rest
from formulas import as_mathml

SOURCE = '''"""Head.

    y = W x
"""

import torch


def twice(x):
    """2 x, as `x + x`."""
    # Why so: it is plain.
    return x + x


class Box:
    """Holds."""

    def open(self):
        return 1
'''


def test_a_source_is_cut_at_its_definitions_with_its_text_beside():
    found = parts(SOURCE)
    assert [each.name for each in found] == ["", "twice", "Box", "Box.open"]
    assert found[0].text == "Head.\n\n    y = W x"
    assert found[0].code == "import torch"
    assert found[1].text == "2 x, as `x + x`.\n\nWhy so: it is plain."
    assert found[1].code == "def twice(x):\n    return x + x"
    assert found[3].code == "    def open(self):\n        return 1"


@pytest.mark.parametrize("file", existing(SUBJECT))
def test_every_line_of_a_subject_stands_on_its_page_once(file):
    """As code, or as text beside it."""
    source = (ROOT / file).read_text(encoding="utf-8")
    found = parts(source)
    code = [line for each in found for line in each.code.splitlines() if line.strip()]
    beside = {line.strip() for each in found for line in each.text.splitlines()} | {'"""'}
    rest = [line for line in source.splitlines() if line.strip() and line not in code]
    left = [line for line in rest if line.strip().strip('"').lstrip("# ") not in " ".join(beside)]
    assert code == [line for line in source.splitlines() if line in set(code)]
    assert left == []


@pytest.mark.parametrize("file", existing(SUBJECT))
def test_every_definition_leads_to_its_lesson_its_exercise_and_a_test_that_is_there(file):
    """The grader of its exercise; else a test of its package that imports or calls it; else its file's own test."""
    names = tuple(each.name for each in parts((ROOT / file).read_text(encoding="utf-8")) if each.name)
    for name in names:
        test, asked = nearest_test(name, file, names), exercises_of(name, file)
        assert (ROOT / test).is_file()
        if asked:
            assert test == f"tests/exercises/graders/test_{asked[0].name}.py"
        else:
            assert test.startswith(f"tests/{file.split('/')[0]}/")
            named = mentions(test, (name.split(".")[0],))
            assert named or Path(test).stem == f"test_{Path(file).stem}" or mentions(test, names), (name, test)
        assert f'blob/main/{test}">' in ways(name, file, names, in_english)
        assert 1 <= lesson_of(name, file) <= len(sources())


def test_what_a_definition_leads_to():
    names = ("LoraLinear", "LoraLinear.delta", "LoraConfig")
    shown = ways("LoraLinear.delta", "peft/lora.py", names, in_english)
    assert (
        '<a href="../lessons/13_lora.html">lesson 13</a>, exercise <code>python -m lessons start lora</code>' in shown
    )
    assert "tests/exercises/graders/test_lora.py" in shown
    assert (
        nearest_test("PrefixAttend", "peft/prefix_tuning.py", ("PrefixAttend",)) == "tests/peft/test_prefix_tuning.py"
    )
    assert nearest_test("rows", "transformer/embedding.py", ("rows",)) == "tests/transformer/test_embedding.py"
    assert lesson_of("Transformer.decode", "transformer/model.py") == 8
    assert lesson_of("Linear4bit", "quant/linear.py") == 16
    with pytest.raises(ValueError, match="no lesson shows nothing of peft/nothing"):
        lesson_of("nothing", "peft/nothing.py")


def test_the_words_beside_a_source_are_chinese_on_the_chinese_site():
    made = page_of("peft/lora.py", ROOT, speaker(COURSE))
    assert "第 13 课</a>，练习 <code>" in made
    assert "测试：<a href" in made
    assert "what it imports" not in made
    assert MARK not in made


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_clinics_table_holds_every_case_with_what_was_measured(language):
    with speaking(language):
        made = clinic(speaker(COURSE) if language == "zh" else in_english)
    assert made.count("\n## ") == len(GROUPS)
    for case in CASES.values():
        row = next(line for line in made.splitlines() if f"`{case.name}`" in line)
        assert all(link in row for link in case.links)
        assert f"[{case.lesson}](lessons/" in row
        assert language == "zh" or (case.cause in row and case.repair in row)
    twice = next(line for line in made.splitlines() if "`merged-twice`" in line)
    assert "2.00" in twice
    assert "1.00" in twice
    assert MARK not in made
    assert ("看到的现象" in made) == (language == "zh")


def test_what_sphinx_leaves_out_for_screen_readers_is_put_in():
    page = """<p class="caption" role="heading">A</p><pre>x</pre><div class="formula">y</div><div class="table-wrapper a"><aside class="sidebar-drawer"><th class="head"><p></p></th>
        <dl>
<dd><em class="sig-param">a</em></dd>
</dl><dl><dt>b</dt><dd>c</dd></dl>"""
    made = accessible(page, "zh_CN")
    assert 'aria-level="2"' in made
    assert made.count('tabindex="0"') == 3
    assert 'aria-label="所有页面"' in made
    assert "<th" not in made
    assert '<span class="parameter"><em class="sig-param">a</em></span>' in made
    assert "<dl><dt>b</dt><dd>c</dd></dl>" in made


def test_the_themes_own_words_are_chinese_on_the_chinese_site():
    page = (
        '<a href="#x">Skip to content</a><label aria-label="Toggle site navigation sidebar"><p>Next</p><p>Next week</p>'
    )
    assert accessible(page, "en") == page
    assert accessible(page, "zh_CN") == (
        '<a href="#x">跳到正文</a><label aria-label="打开或收起全部页面"><p>下一页</p><p>Next week</p>'
    )


CODE = re.compile(r"```.*?\n```|``[^\n]*?``|`[^`\n]*`|^    [^\n]*$", re.DOTALL | re.MULTILINE)


def test_the_guide_the_glossary_and_the_results_are_chinese_on_the_chinese_site():
    with speaking("zh"):
        measured = results(speaker(COURSE))
        told = CODE.sub("", "\n".join([teachers(), glossary({}), measured]))
    english = [line for line in told.splitlines() if list(prose_in(line))]
    assert [line for line in english if line.startswith("  →") or not re.search(r"[\u4e00-\u9fff]", line)] == []
    head = next(line for line in measured.splitlines() if line.startswith("|"))
    assert not re.search(r"[a-z]{2}", head)
    assert "在基座模型已有数字的基础上" in told
    assert "该写" in told
    assert "基座，未动过" in told
    assert "# For teachers" in teachers()


def test_a_docstring_keeps_its_aligned_lines_and_its_code():
    assert as_html("It is `x`.\n\n    y = x <1>") == "<p>It is <code>x</code>.</p><pre>    y = x &lt;1&gt;</pre>"
    assert as_rest(["It is `x` * 2.", "", "`a`   the first"]) == [
        "It is ``x`` \\* 2.",
        "",
        "::",
        "",
        "    `a`   the first",
        "",
    ]


def test_links_lead_to_pages_and_else_to_the_project():
    known = {"peft/lora.py": "source/peft-lora", "lessons/notebooks/13_lora.ipynb": "lessons/13_lora"}
    text = "[a](13_lora.ipynb) [b](../../peft/lora.py) [c](../../peft/dora.py) [d](https://x.y) `[e](f)`"
    made = relinked(text, "lessons/notebooks", "lessons/14", known)
    assert made.split()[:2] == ["[a](../lessons/13_lora.md)", "[b](../source/peft-lora.md)"]
    assert made.split()[2].endswith("/blob/main/peft/dora.py)")
    assert made.split()[3:] == ["[d](https://x.y)", "`[e](f)`"]
    with pytest.raises(
        ValueError, match=r"lessons/14 links to nowhere\.py, and there is no lessons/notebooks/nowhere\.py"
    ):
        relinked("[a](nowhere.py)", "lessons/notebooks", "lessons/14", known)


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.stem)
def test_every_formula_of_a_lesson_can_be_drawn_without_a_script(source):
    for cell in read_lesson(source).cells:
        if cell.cell_type == "markdown":
            for display, inline in re.findall(r"\$\$(.+?)\$\$|(?<!\$)\$([^$\n]+?)\$(?!\$)", cell.source, re.DOTALL):
                assert "<math" in as_mathml(display or inline, display=bool(display))


def test_a_formula_that_cannot_be_drawn_is_named():
    with pytest.raises(ValueError, match="no MathML for"):
        as_mathml(r"\nosuchcommand{x}", display=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    assert main(["--out", str(out)]) == 0
    return out / "en"


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


WIDTH = 380
EMBEDDED = "<html lang=en><title>page</title><main><h1>page</h1></main></html>"
"""In place of the page in its frame, which has its own tests."""
ON_A_PAGE = """() => ({
    wide: document.scrollingElement.scrollWidth,
    bare: [...document.images].filter(i => !i.alt || !i.getAttribute("width") || !i.naturalWidth).map(i => i.src),
    links: [...document.querySelectorAll("a[href]")].map(a => a.href).filter(h => h.startsWith("file:")),
    raw: document.querySelector("article").innerText.includes("$$"),
})"""


@pytest.mark.slow
def test_every_page_opens_from_disk_whole(built, browser):
    """No error, no request, no dead link, no raw formula, every picture with size and words, nothing too wide."""
    files = sorted(built.parent.rglob("*.html"))
    files = [file for file in files if "_static" not in file.parts]
    assert len(files) > 2 * (len(sources()) + len(SUBJECT))
    page = browser.new_page(viewport={"width": WIDTH, "height": 800})
    trouble: list[str] = []
    page.on("console", lambda said: trouble.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on(
        "request",
        lambda asked: trouble.append(asked.url) if not asked.url.startswith(("file:", "data:", "blob:")) else None,
    )
    page.route("**/page.html", lambda route: route.fulfill(body="<title>page</title>", content_type="text/html"))
    for file in files:
        page.goto(file.as_uri())
        page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
        page.wait_for_function("[...document.images].every(i => i.complete)")
        found = page.evaluate(ON_A_PAGE)
        name = file.relative_to(built.parent).as_posix()
        dead = [
            link
            for link in found["links"]
            if not Path(link.removeprefix("file://").partition("#")[0].partition("?")[0]).exists()
        ]
        assert (name, trouble, found["bare"], dead, found["raw"]) == (name, [], [], [], False)
        assert found["wide"] <= WIDTH, name
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "lesson"), [("LoRA", "13_lora"), ("quantization", "15_nf4"), ("softmax", "08_output_and_loss")]
)
def test_search_finds_from_disk(asked, lesson, built, browser):
    page = browser.new_page()
    page.goto(f"{(built / 'search.html').as_uri()}?q={asked}")
    page.wait_for_selector("#search-results li a")
    page.wait_for_timeout(1000)
    assert any(
        f"{lesson}.html" in link
        for link in page.eval_on_selector_all("#search-results li a", "all => all.map(a => a.href)")
    )
    page.close()


def brightness(colour: str) -> float:
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_colour_schemes(scheme, built, browser):
    page = browser.new_page(color_scheme=scheme)
    for name in ("lessons/13_lora", "source/peft-lora", "results"):
        page.goto((built / f"{name}.html").as_uri())
        text, ground = page.evaluate(
            "[getComputedStyle(document.querySelector('article')).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert abs(brightness(text) - brightness(ground)) > 120, (name, scheme, text, ground)
        assert (brightness(ground) < 100) == (scheme == "dark")
    page.close()


ACCESSIBLE = "en/index en/lessons/13_lora en/source/peft-lora en/clinic en/search en/api/peft zh/results zh/see".split()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ACCESSIBLE)
def test_a_page_breaks_no_rule_of_accessibility(name, scheme, built, browser):
    page = browser.new_page(color_scheme=scheme, viewport={"width": WIDTH, "height": 800})
    page.route("**/page.html", lambda route: route.fulfill(body=EMBEDDED, content_type="text/html"))
    page.goto((built.parent / f"{name}.html").as_uri())
    assert violations(page) == []
    page.close()


@pytest.mark.slow
def test_the_chinese_site_holds_the_chinese_page(built):
    for language, title in (("en", "See a fine-tune"), ("zh", "看见微调")):
        embedded = (built.parent / language / "_static" / "page.html").read_text(encoding="utf-8")
        assert f"<title>{title}</title>" in embedded


class Prose(HTMLParser):
    """The texts of a page and the names of its parts; without code, formulas, what is not shown, and titles of papers."""

    SILENT = ("script", "style", "code", "pre", "math", "svg", "kbd")

    def __init__(self, page):
        super().__init__()
        self.found, self.silent, self.leads_away = [], 0, False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.silent += tag in self.SILENT
        if tag == "a":
            self.leads_away = dict(attributes).get("href", "").startswith("http")
        self.found += [value or "" for name, value in attributes if name in ("alt", "title", "aria-label")]

    def handle_endtag(self, tag):
        self.silent -= tag in self.SILENT
        if tag == "a":
            self.leads_away = False

    def handle_data(self, data):
        if not self.silent and not self.leads_away:
            self.found.append(" ".join(data.split()))


ENGLISH_BY_NATURE = ("api", "source")
"""The code, its docstrings and its names."""


@pytest.mark.slow
def test_no_english_sentence_is_left_on_the_chinese_site(built):
    root = built.parent / "zh"
    for file in sorted(root.rglob("*.html")):
        place = file.relative_to(root)
        if place.parts[0] not in (*ENGLISH_BY_NATURE, "_static"):
            texts = [text for text in Prose(file.read_text(encoding="utf-8")).found if not is_known(text)]
            assert texts == [], place


def is_known(text):
    """Chinese, or no prose, or a term's English name, or what a model reads that knows only English."""
    terms = [cells_of(line)[1] for line in ENGLISH.read_text(encoding="utf-8").splitlines() if cells_of(line)]
    return (
        text in terms
        or bool(re.search(r"[\u4e00-\u9fff]", text))
        or not list(prose_in(text))
        or stays(text)
        or text.startswith(REQUEST)
    )


@pytest.mark.slow
def test_a_click_on_a_columns_head_sorts_the_results(built, browser):
    page = browser.new_page()
    page.goto((built / "results.html").as_uri())
    column = "[...document.querySelectorAll('.sorted tbody tr')].map(row => parseFloat(row.cells[5].textContent))"
    page.click(".sorted th >> nth=5")
    once = page.evaluate(column)
    page.click(".sorted th >> nth=5")
    assert once == sorted(once)
    assert page.evaluate(column) == sorted(once, reverse=True)
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "lesson"), [("低秩", "13_lora"), ("量化", "15_nf4")])
def test_search_finds_parts_of_chinese_words(asked, lesson, built, browser):
    page = browser.new_page()
    page.goto(f"{(built.parent / 'zh' / 'search.html').as_uri()}?q={asked}")
    page.wait_for_selector("#search-results li a")
    page.wait_for_timeout(1000)
    found = page.eval_on_selector_all("#search-results li a", "all => all.map(a => a.href)")
    assert any(f"{lesson}.html" in link for link in found)
    page.close()
