"""A part of the course that a teacher has given out: what is asked, for how many points, and what the commands know of it."""

from pathlib import Path

import pytest

from lessons.exercises.assignment import FILE, as_toml, assigned, read_assignment
from lessons.exercises.catalogue import all_exercises
from lessons.exercises.student import checking, commands
from lessons.exercises.student.workbook import Workbook

ASKED = """
title = "Homework 2"
deadline = 2026-11-30T23:59:00+01:00
partial = true

[exercises]
layer_norm = 25
add_norm = {points = 10, weight = 0.5}
dora = {}
"""


def written(folder: Path, text: str = ASKED) -> Path:
    path = folder / FILE
    path.write_text(text, encoding="utf-8")
    return path


def test_points_weights_and_the_deadline_are_the_teachers(tmp_path: Path) -> None:
    found = read_assignment(written(tmp_path))
    assert {each.name: each.worth for each in found.exercises} == {
        "layer_norm": 25,
        "add_norm": 10,
        "dora": all_exercises()["dora"].worth,
    }
    assert found.weights == {"add_norm": 0.5}
    assert found.deadline is not None
    assert (found.title, found.partial, found.exam, found.deadline.timestamp()) == (
        "Homework 2",
        True,
        False,
        1796079540,
    )


def test_what_is_written_reads_as_the_same(tmp_path: Path) -> None:
    found = read_assignment(written(tmp_path, ASKED.replace("Homework 2", r"a \"b\\\n").replace("partial", "exam")))
    again = read_assignment(written(tmp_path, as_toml(found)))
    assert again == found
    assert found.exam
    assert "2026-11-30T23:59:00+01:00" in as_toml(found)  # the teacher's zone, wherever the file is written


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[exercises]\nlayer_nrm = 5", "no exercise layer_nrm; there are .*layer_norm"),
        ("[exercises]\nlayer_norm = 0", "layer_norm: points .*not 0"),
        ("[exercises]\nlayer_norm = true", "layer_norm: points .*not True"),
        ("[exercises]\nlayer_norm = {weight = -1}", "layer_norm: a weight .*-1"),
        ("[exercises]\nlayer_norm = {wieght = 1}", "layer_norm has wieght.*points, weight"),
        ("[exercises]", "NAME = POINTS"),
        ("dedline = 1", "dedline.*deadline"),
        ('deadline = "tomorrow"', "2026-11-30T23:59:00"),
        ("exam = 1", "exam is true or false"),
        ("exam", "no TOML"),
    ],
)
def test_what_is_wrong_is_said_with_what_there_is(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as error:
        read_assignment(written(tmp_path, text))
    assert FILE in str(error.value)


def test_a_file_and_names_give_the_named_ones_of_the_file(tmp_path: Path) -> None:
    found = assigned(written(tmp_path), ["layer_norm"])
    assert [(each.name, each.worth) for each in found.exercises] == [("layer_norm", 25)]
    with pytest.raises(ValueError, match="lora is not among the 3 exercises"):
        assigned(written(tmp_path), ["lora"])


def test_a_part_of_the_course_knows_itself(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    written(tmp_path)
    book = ["--workbook", str(tmp_path / "workbook")]

    assert commands.overview(book) == 0
    course = capsys.readouterr().out
    assert "0 of 3 exercises passed" in course
    assert "Prefix tuning" not in course
    assert commands.list_exercises(book) == 0
    assert "lora_start" not in capsys.readouterr().out
    assert commands.next_exercise(book) == 0
    assert "layer_norm" in capsys.readouterr().out
    with pytest.raises(
        ValueError, match="lora is not among the 3 exercises of this folder: layer_norm, add_norm, dora"
    ):
        commands.start(["lora", *book])


def test_what_was_not_given_out_is_no_condition(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    written(tmp_path, "[exercises]\nadd_norm = 10")
    commands.next_exercise(["--workbook", str(tmp_path / "workbook")])
    assert "better after" not in capsys.readouterr().out
    assert Workbook("workbook").statuses().keys() == all_exercises().keys()


def test_in_an_exam_there_are_no_hints_solutions_or_checks(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    written(tmp_path, "exam = true\n" + ASKED)
    arguments = ["layer_norm", "--workbook", str(tmp_path / "workbook")]
    for command, what in ((commands.hint, "hints"), (commands.solution, "solutions")):
        with pytest.raises(ValueError, match=f"exam: there are no {what}"):
            command(arguments)
    assert checking.check(arguments) == 3
    assert "exam: there are no checks" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no checks"):
        checking.watch(arguments[1:])
    book = Workbook(tmp_path / "workbook")
    book.start(book.exercises[0])
    for command in (commands.overview, commands.next_exercise, commands.start):
        capsys.readouterr()
        command(arguments[1:])
        assert "lessons check" not in (said := capsys.readouterr().out)
        assert f"python {book.path(book.exercises[0])}" in said
