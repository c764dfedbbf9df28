"""The commands and the cards in Chinese: chosen by option or environment, in whole lines, never cropped."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from lessons.__main__ import main
from lessons.exercises.grading.result import FAILED, Result
from lessons.exercises.student.wording import show
from lessons.language.choice import language, speaking
from lessons.language.message import in_language, prose_in, untranslated
from lessons.language.po import po_of, translations
from lessons.language.words import MESSAGES
from lessons.language.wrapping import broken
from lessons.translate.messages import message_texts

MESSAGE = """value: the mask: it is transposed: a query sees the future
largest difference at query 0, key 1:"""


@pytest.fixture(autouse=True)
def no_language(monkeypatch):
    for name in ("FT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


def test_the_option_wins_over_the_environment(monkeypatch, capsys):
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert language() == "zh"
    assert main(["--lang", "en", "help"]) == 0
    assert "the exercise to do now" in capsys.readouterr().out
    assert main(["help"]) == 0
    assert "现在该做的练习" in capsys.readouterr().out


def test_an_unknown_language_is_refused(capsys):
    assert main(["--lang", "fr"]) == 2
    assert "en or zh" in capsys.readouterr().err


def test_the_course_view_the_stub_and_the_card_are_chinese(tmp_path, capsys):
    book = ["--workbook", str(tmp_path)]
    for command in (["start", "causal_mask"], ["check", "causal_mask"], ["hint", "causal_mask"], ["next"]):
        main([*command, *book, "--lang", "zh"])
    said = capsys.readouterr().out
    for words in ("谁也不往后看", "还什么都没有写", "提示 1（共 2 个）", "然后："):
        assert words in said
    stub = (tmp_path / "causal_mask.py").read_text(encoding="utf-8")
    assert stub.startswith("# 练习 causal_mask\n# 谁也不往后看\n# 请写 causal_mask。")
    assert "在这里写你的代码。" in stub


def test_a_message_is_translated_line_by_line_and_its_values_too():
    with speaking("zh"):
        assert in_language(MESSAGE) == "数值：掩码：它转置了：查询看到了未来\n差别最大处在 query 0, key 1："
        assert in_language("every value is 2.83 = √d_head times too large: is a factor missing, or there twice?") == (
            "每个值都大了 2.83 = √d_head 倍：是不是漏了一个因子，或者乘了两次？"
        )
    assert untranslated(MESSAGE) == []
    assert untranslated("value: what nobody has ever said before stands here") != []
    assert in_language(MESSAGE) == MESSAGE


def test_numbers_stand_in_their_columns_and_python_stays_python():
    with speaking("zh"):
        assert in_language("    came      0.7056") == "    得到      0.7056"
        assert in_language("    expected         0.0691    0.8077") == "    应为             0.0691    0.8077"
        assert in_language("    self.weight = torch.tensor([0.5])") == "    self.weight = torch.tensor([0.5])"


def test_the_list_and_the_clinic_are_chinese_in_80_columns(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for command in (["list", "--workbook", str(tmp_path)], ["clinic"]):
        assert main([*command, "--lang", "zh"]) == 0
        said = capsys.readouterr().out
        assert not list(prose_in(said)), command
    assert "导出的模型" in said
    main(["list", "--workbook", str(tmp_path), "--lang", "zh"])
    assert "15 分钟" in capsys.readouterr().out


def test_a_chinese_card_wraps_at_80_columns_and_loses_nothing():
    console = Console(file=io.StringIO(), width=80, highlight=False, soft_wrap=True)
    english, wanted = max(
        translations(po_of(MESSAGES)).items(), key=lambda pair: cell_len(pair[1]) * ("{" not in pair[0])
    )
    assert cell_len(wanted) > 80
    with speaking("zh"):
        show(console, Result("causal_mask", FAILED, f"{english}\n{english}"), "workbook/causal_mask.py")
    card = console.file.getvalue()
    assert all(cell_len(line) <= 80 for line in card.splitlines())
    assert "".join(card.replace("│", "").split()).count("".join(wanted.split())) == 2


def test_no_line_begins_with_a_comma():
    lines = broken("掩码，" * 20, 9).splitlines()
    assert all(cell_len(line) <= 9 for line in lines)
    assert not any(line.startswith("，") for line in lines)


def test_the_extractor_finds_templates_and_fixed_texts():
    found = {text.english for text in message_texts()}
    assert {"the factor {name} is missing", "value: {name}: {said}", "Stuck?", "not attempted"} <= found
    assert "q_proj k_proj v_proj" not in found
