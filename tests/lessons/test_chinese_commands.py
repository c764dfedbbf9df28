"""What the commands print in Chinese: no English prose is left in it."""

import io
import re
from types import SimpleNamespace

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.progress import Task

from lessons.__main__ import COMMANDS, main
from lessons.chat.preferring.table import lines_of, told
from lessons.chat.training import command as training
from lessons.clinic.cases import CASES
from lessons.clinic.measurement import Finding
from lessons.compare.kept_rates import KeptRates
from lessons.compare.report import comparison
from lessons.compare.study_rows import RESULTS
from lessons.compare.table import print_table
from lessons.drawing.progress import SaidColumn
from lessons.language.choice import speaking
from lessons.language.message import in_language, prose_in
from lessons.language.words import say
from lessons.preferences.prefer import Pair, judge
from lessons.sentiment.table import print_table as print_sentiment
from transformer.learning.formats import read_object


def english_in(printed):
    return [line for line in printed.splitlines() if list(prose_in(line))]


def printed_in_chinese(capsys, *command):
    assert main([*command, "--lang", "zh"]) == 0
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")


@pytest.mark.parametrize("name", CASES)
def test_symptom_cause_and_repair_of_every_case_are_chinese(name):
    case = CASES[name]
    with speaking("zh"):
        for text in (case.symptom, case.cause, case.repair):
            assert say(text) != text


def test_a_case_is_told_in_chinese(capsys):
    said = printed_in_chinese(capsys, "clinic", "merged-twice")
    assert not english_in(said)
    assert "症状" in said
    assert "基座的权重里含有 2.00 倍的适配器更新" in said


@pytest.mark.slow
def test_a_patient_is_looked_at_in_chinese(capsys):
    said = printed_in_chinese(capsys, "clinic", "--patient", "standing_loss", "--diagnose")
    assert not english_in(said)


def test_a_finding_prints_itself_in_the_language_that_is_spoken():
    finding = Finding(
        "merged-twice",
        2.0,
        "the base's weights hold 2.00 times the adapter's update",
        "fc1",
        CASES["merged-twice"].repair,
    )
    english = str(finding)
    with speaking("zh"):
        first, second = str(finding).splitlines()
    assert first == "merged-twice: 基座的权重里含有 2.00 倍的适配器更新 (fc1)"
    assert second.startswith("  修复：")
    assert str(finding) == english


def test_the_doctor_is_chinese(capsys):
    said = printed_in_chinese(capsys, "doctor")
    assert not english_in(said)
    assert "每个哈希都对" in said


HELP = [(name,) for name in COMMANDS] + [
    ("chat", f"--{what}") for what in ("train", "compare", "search", "preferences")
]


@pytest.mark.parametrize("command", HELP, ids=" ".join)
def test_help_is_chinese_and_fits_eighty_columns(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--help", "--lang", "zh"])
    said = capsys.readouterr().out
    usage, _, rest = said.partition("\n\n")
    assert usage.startswith(f"用法：python -m lessons {command[0]}")
    assert "显示这份帮助并退出" in rest
    assert not [piece for piece in re.split(r"\n|\s{3,}", rest) if english_in(piece) and "python -m" not in piece]
    assert not [line for line in said.splitlines() if cell_len(line) > 80]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("memory", "--batch", "two"), "参数 --batch：无效的 int 值：'two'"),
        (("compare", "--colour"), "无法识别的参数：--colour"),
        (("compare", "--seeds", "0"), "参数 --seeds：需要一个不小于 1 的数，而不是 '0'"),
        (("new-technique",), "缺少这些必需的参数：NAME"),
        (("translate", "guess"), "无效的选择：'guess'（可选 'update', 'check', 'status', 'build'）"),
    ],
)
def test_what_is_wrong_with_the_arguments_is_said_in_chinese(arguments, complaint, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--lang", "zh"])
    said = capsys.readouterr().err
    assert complaint in said
    assert said.startswith("用法：")


def test_an_exercises_command_names_an_unknown_argument_in_chinese(capsys):
    assert main(["check", "--colour", "--lang", "zh"]) != 0
    assert "无法识别的参数：--colour\n用法：" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [("pronounce", "tomato"), ("memory", "--method", "qlora", "--cards", "2"), ("memory",)]
)
def test_a_command_prints_in_chinese(command, capsys, tmp_path):
    out = [] if command[0] == "pronounce" else ["--out", str(tmp_path)]
    said = printed_in_chinese(capsys, *command, *out)
    assert re.search(r"[\u4e00-\u9fff]", said)
    assert not english_in(said)


def test_the_comparison_is_printed_in_chinese(capsys):
    report = read_object(RESULTS / "report.json")
    with speaking("zh"):
        print_table(comparison(report), Console(width=160))
    said = capsys.readouterr().out
    assert "一个基座，多种微调" in said
    assert not english_in(said)


def test_judging_pairs_asks_in_chinese(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n"))
    with speaking("zh"):
        judge([Pair("bath", ("bˈɑθ", "bˈæθ"))], tmp_path / "a.jsonl", "british", 1)
    said = capsys.readouterr().out
    assert said.startswith("哪一个是更好的英式英语？")
    assert "bath  （第 1 对，共 1 对）" in said
    assert "s（跳过）" in said


def test_what_preferences_add_is_told_in_chinese():
    kept = read_object(RESULTS / "chat_preferences.json")
    for task, arms in kept["tasks"].items():
        with speaking("zh"):
            cells = [in_language(cell) for line in lines_of(arms, task) for cell in line]
            cells += [in_language(told(name, arms[name])) for name in ("dpo", "grpo") if name in arms]
        assert not [cell for cell in cells if re.search(r"[a-z]{3}", cell)]


def test_the_table_of_sentiment_is_chinese(capsys):
    with speaking("zh"):
        print_sentiment(read_object(RESULTS / "sentiment.json"), Console(width=160))
    said = capsys.readouterr().out
    assert not english_in(said)
    assert "人，由评分得出" in said
    assert "朴素贝叶斯" not in said
    assert "其他各领域中最好的" in said


def test_a_search_tells_in_chinese_what_it_found(tmp_path):
    kept = KeptRates(tmp_path / "rates.json", {"lora": {"steps": 3}}, {"lora": [0.001]}, 1, {})
    kept.begin(False, "")
    for rate, loss in ((0.001, 0.5), (0.003, 0.4), (0.01, 0.45), (0.0003, 0.6)):
        kept.add("lora", rate, 0, loss)
    with speaking("zh"):
        assert in_language(kept.line("lora", 0.003, 0, 0.4)) == "lora               0.003   种子 0  0.4000"
        assert in_language(kept.outcome("lora")) == (
            "lora               最好 0.003，在 0.0003 到 0.01 的 4 个学习率中：1 个种子的平均值 0.4000"
        )


def test_teaching_a_language_model_is_told_in_chinese(capsys):
    options = SimpleNamespace(method="lora", steps=3)
    with speaking("zh"), training.told("12 conversations, 3 steps at the rate 0.003", options, quiet=False) as on_step:
        on_step(1, 0.5)
    said = capsys.readouterr().out
    assert "12 段对话，3 步，学习率 0.003" in said
    with speaking("zh"):
        assert in_language("loss 2.100 → 0.300 nats a token; python -m lessons chat --adapter runs/x") == (
            "损失 2.100 → 0.300 奈特每词元；python -m lessons chat --adapter runs/x"
        )
        assert (
            SaidColumn().render(Task(0, "", 3, 0, fields={"loss": "loss 0.500"}, _get_time=float)).plain == "损失 0.500"
        )
