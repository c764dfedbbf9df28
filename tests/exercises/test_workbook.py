"""A student's folder: what is passed is passed, from wherever it was checked."""

import io

from rich.console import Console

from lessons.exercises.catalogue import all_exercises, get
from lessons.exercises.grading.result import FAILED, NOT_ATTEMPTED, NOT_GRADED, PASSED, Result
from lessons.exercises.source import LIBRARY
from lessons.exercises.student.overviews import show_list
from lessons.exercises.student.workbook import Workbook, nearest_workbook

EXERCISE = get("layer_norm")


def kept(book, *statuses):
    for status in statuses:
        book.keep(EXERCISE, Result(EXERCISE.name, status))
    return book.progress(EXERCISE).status


def test_a_pass_counts_for_good(tmp_path):
    book = Workbook(tmp_path)

    assert kept(book) == NOT_ATTEMPTED
    assert kept(book, FAILED) == FAILED
    assert kept(book, PASSED, FAILED, NOT_ATTEMPTED, NOT_GRADED) == PASSED


def test_beginning_again_keeps_the_old_text_and_the_pass(tmp_path):
    book = Workbook(tmp_path)
    book.start(EXERCISE)
    book.path(EXERCISE).write_text("mine")
    kept(book, PASSED)

    old = book.reset(EXERCISE)

    assert old.read_text() == "mine"
    assert kept(book) == PASSED


def test_hints_are_counted_beside_the_status(tmp_path):
    book = Workbook(tmp_path)
    kept(book, PASSED)

    book.record(EXERCISE, hints=2)

    assert (book.progress(EXERCISE).status, book.progress(EXERCISE).hints) == (PASSED, 2)


def test_a_notebook_finds_the_terminals_workbook_above_it(tmp_path, monkeypatch):
    kept(Workbook(tmp_path / "workbook"), FAILED)
    (tmp_path / "lessons" / "notebooks").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "lessons" / "notebooks")

    assert nearest_workbook().folder == tmp_path / "workbook"


def test_without_one_it_is_at_the_root_of_the_checkout_or_beside_the_notebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert nearest_workbook().folder == tmp_path / "workbook"

    monkeypatch.chdir(LIBRARY / "lessons" / "notebooks")
    assert nearest_workbook().folder == LIBRARY / "workbook"


def test_the_list_says_every_name_whole_in_a_terminal_of_80_columns(tmp_path):
    written = io.StringIO()

    show_list(Console(file=written, width=80, soft_wrap=True), Workbook(tmp_path))

    lines = written.getvalue().splitlines()
    assert {line.split()[1] for line in lines if line.startswith("·")} == set(all_exercises())
    assert max(map(len, lines)) <= 80
