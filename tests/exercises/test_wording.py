"""The card of a check: read in a terminal of 80 columns, nothing of it is lost."""

import io

import pytest
from rich.console import Console

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.grading.result import FAILED, PASSED, Result
from lessons.exercises.student import commands
from lessons.exercises.student.overviews import what_now
from lessons.exercises.student.wording import show, told
from lessons.exercises.student.workbook import Workbook

EXERCISES = all_exercises()


def printed(result, book):
    console = Console(file=io.StringIO(), width=80, highlight=False, soft_wrap=True)
    show(console, result, "workbook/file.py", what_now(result, EXERCISES[result.name], book))
    return console.file.getvalue()


def without_box(text):
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("name", EXERCISES)
def test_what_is_wrong_is_in_the_card_to_its_last_letter(name):
    for wrong in EXERCISES[name].wrong:
        message = f"value: the output: what stands before it takes its room as well, and then it says: {wrong.message}."
        card = printed(Result(name, FAILED, message, where="line 100: return x"), Workbook())

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
        assert f"python -m lessons {command} --workbook {tmp_path}" in lines


def test_a_command_names_the_workbook_where_it_is_not_the_usual_one(tmp_path):
    assert Workbook().command("check", "lora") == "python -m lessons check lora"
    assert Workbook(tmp_path / "my book").command("check", "lora").endswith(f"--workbook '{tmp_path / 'my book'}'")


def test_a_long_sentence_breaks_between_words_at_80_columns():
    sentence = " ".join(EXERCISES["scaled_dot_product_attention"].hints)
    console = Console(file=io.StringIO(), width=80, highlight=False, soft_wrap=True)

    told(console, sentence)

    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert " ".join(" ".join(lines).split()) == sentence


def test_hints_are_told_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(commands, "console", Console(highlight=False, soft_wrap=True, width=80))

    for _ in EXERCISES["scaled_dot_product_attention"].hints:
        commands.hint(["scaled_dot_product_attention", "--workbook", str(tmp_path)])

    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
