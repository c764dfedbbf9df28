"""A student who reads no English: the installation, lesson 1, its exercise wrong and right, the report; by LANG alone."""

import os
import re
import subprocess
import sys

import nbformat
import pytest

from lessons.exercises.catalogue import get
from lessons.exercises.filling import filled
from lessons.exercises.selfcheck.trials import edited
from lessons.exercises.stub import live_source, stub_of
from lessons.task.dictionary import load
from lessons.translate.assemble import ZH_NOTEBOOKS
from tests.lessons.test_chinese_reports import Texts, english_in

NAME = "trainable_numbers"
PROSE = re.compile(r"(?:\b[A-Za-z][a-z]+\b[ ,]+){3}[a-z]{2,}")
"""Four words in a row; abbreviations are none."""


def lessons(*command):
    environment = {key: value for key, value in os.environ.items() if key not in ("LC_ALL", "LC_MESSAGES", "FT_LANG")}
    done = subprocess.run(
        [sys.executable, "-m", "lessons", *command],
        env=environment | {"LANG": "zh_CN.UTF-8", "COLUMNS": "160"},
        capture_output=True,
        text=True,
    )
    english = [
        line for line in done.stdout.splitlines() if PROSE.search(line) and not re.search(r"python -m|第 \d+ 行", line)
    ]
    assert not english, command
    return done


@pytest.mark.slow
def test_a_student_who_reads_no_english_does_the_first_exercise(tmp_path):
    exercise, book = get(NAME), ("--workbook", str(tmp_path))
    live = live_source(exercise)
    file = tmp_path / exercise.file_name

    assert "什么是微调" in lessons().stdout
    assert lessons("start", NAME, *book).returncode == 0
    assert "在这里写你的代码。" in file.read_text(encoding="utf-8")
    assert "还什么都没有写" in lessons("check", NAME, *book).stdout
    assert "提示 1" in lessons("hint", NAME, *book).stdout

    file.write_text(edited(exercise, live, exercise.wrong[0]), encoding="utf-8")
    wrong = lessons("check", NAME, *book)
    assert wrong.returncode == 1
    assert "应为" in wrong.stdout or "数值" in wrong.stdout

    file.write_text(filled(stub_of(exercise), live, exercise.targets).text, encoding="utf-8")
    right = lessons("check", NAME, *book)
    assert right.returncode == 0
    assert "通过" in right.stdout
    assert "✓ trainable_numbers" in " ".join(lessons("list", *book).stdout.split())
    assert lessons("next", *book).returncode == 0


@pytest.mark.slow
def test_a_student_who_reads_no_english_sees_that_all_is_installed_reads_lesson_1_and_sees_the_report(tmp_path):
    assert "每个哈希都对" in lessons("doctor").stdout

    lesson = nbformat.read(ZH_NOTEBOOKS / "01_fine_tuning.ipynb", as_version=4)
    texts = [cell.source for cell in lesson.cells if cell.cell_type == "markdown"]
    outputs = [output for cell in lesson.cells for output in cell.get("outputs", []) if "data" in output]
    texts += [output["data"].get("text/markdown", "") for output in outputs]
    # Code, formulas, and links: what leads away has its own title.
    read = re.sub(r"```.*?```|`[^`]*`|\$[^$]*\$|\[[^\]]*\]\(http[^)]*\)", "", "\n".join(texts), flags=re.DOTALL)
    assert not [line for line in read.splitlines() if PROSE.search(line)]
    assert "未翻译" not in read

    done = lessons("compare", "--quick", "--methods", "bitfit", "--out", str(tmp_path))
    assert done.returncode == 0
    assert "一个基座，多种微调" in done.stdout
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in page
    assert [text for text in english_in(Texts(page).found) if text not in load("british")] == []
