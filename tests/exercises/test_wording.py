"""The card of a check: read in a terminal of 80 columns, nothing of it is lost."""

import io

import pytest
from rich.console import Console

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.grading.result import FAILED, PASSED, Result
from lessons.exercises.student.overviews import what_now
from lessons.exercises.student.wording import show
from lessons.exercises.student.workbook import Workbook

EXERCISES = all_exercises()


def printed(result, book):
    console = Console(file=io.StringIO(), width=80, highlight=False, soft_wrap=True)
    show(console, result, "workbook/file.py", what_now(result, EXERCISES[result.name], book))
    return console.file.getvalue()


def without_box(text):
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("name", EXERCISES)
def test_what_is_wrong_is_in_the_card_to_its_last_letter(name, tmp_path):
    for wrong in EXERCISES[name].wrong:
        message = f"value: the output: what stands before it takes its room as well, and then it says: {wrong.message}."
        card = printed(Result(name, FAILED, message, where="line 100: return x"), Workbook(tmp_path))

        assert without_box(message) in without_box(card)
        assert max(len(line) for line in card.splitlines()) <= 80


@pytest.mark.parametrize("status", [PASSED, FAILED])
@pytest.mark.parametrize("name", EXERCISES)
def test_the_next_command_stands_alone_and_can_be_copied(name, status, tmp_path):
    book = Workbook(tmp_path)
    book.keep(EXERCISES[name], Result(name, status))

    lines = [line.strip() for line in printed(Result(name, status, "a reason"), book).splitlines()]

    wanted = {PASSED: [f"solution {name}", f"start {book.next_open(EXERCISES[name]).name}"], FAILED: [f"hint {name}"]}
    for command in wanted[status]:
        assert f"python -m lessons {command}" in lines
