"""A student who reads no English: where they are, an exercise wrong and right, what comes next; by LANG alone."""

import os
import re
import subprocess
import sys

import pytest

from lessons.exercises.catalogue import get
from lessons.exercises.filling import filled
from lessons.exercises.selfcheck.trials import edited
from lessons.exercises.stub import live_source, stub_of

NAME = "trainable_numbers"
PROSE = re.compile(r"(?:\b[A-Za-z]{2,}\b[ ,]+){3}[A-Za-z]{2,}")
"""Four words in a row."""


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
