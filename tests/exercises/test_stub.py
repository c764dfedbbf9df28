"""What a student gets: files that Python reads, with nobody's answer in them, which are made whole before they are run."""

from itertools import takewhile

import pytest
from rich.cells import cell_len

from lessons.exercises.catalogue import all_exercises, get
from lessons.exercises.filling import filled
from lessons.exercises.grading.check import Grader
from lessons.exercises.grading.recorder import StudentFile, describe
from lessons.exercises.grading.result import PASSED, Result
from lessons.exercises.selfcheck.handed_out import flaw, written
from lessons.exercises.selfcheck.trials import from_notebook
from lessons.exercises.source import attempted
from lessons.exercises.stub import live_source, stub_of, whole
from lessons.exercises.student.workbook import Workbook
from lessons.language.choice import CHINESE, ENGLISH, speaking

EXERCISES = list(all_exercises().values())


@pytest.fixture(scope="module")
def grader():
    grader = Grader()
    yield grader
    grader.server.close()


def test_python_reads_every_file_that_is_handed_out_and_no_answer_stands_in_it(tmp_path):
    flaws = [f"{path}: {found}" for exercise, path in written(EXERCISES, tmp_path) if (found := flaw(exercise, path))]

    assert not flaws


@pytest.mark.parametrize("language", [ENGLISH, CHINESE])
def test_what_stands_above_a_stub_fits_a_terminal_of_80_columns(language):
    with speaking(language):
        heads = {
            each.name: list(takewhile(lambda line: line[:1] == "#", stub_of(each).split("\n"))) for each in EXERCISES
        }

    assert not {name: line for name, head in heads.items() for line in head if cell_len(line) > 80}


def test_what_is_passed_may_be_read(tmp_path):
    book = Workbook(tmp_path)
    book.keep(get("split_heads"), Result("split_heads", PASSED))

    stub = book.stub(get("multi_head_attention"))

    assert attempted(stub, get("split_heads").targets)
    assert not attempted(stub, get("scaled_dot_product_attention").targets)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_a_stub_with_its_own_solution_is_the_live_module_when_it_is_run(exercise):
    live = live_source(exercise)

    solved = filled(stub_of(exercise), live, exercise.targets).text

    header, _, module = whole(exercise, solved).text.partition('"""')
    assert f'"""{module}' == live
    assert header.startswith("# Exercise")


SOURCE = '''def first():
    """One."""
    # Left out.
    raise NotImplementedError


def mine():
    return second() + 1


def second():
    ...
'''
LIVE = '''def first():
    """One."""
    # Why.
    one = 1
    two = 2
    return one + two


def mine():
    return 0


def second():
    zero = 0
    return zero
'''


def test_what_is_left_empty_is_put_back_and_lines_are_told_as_the_student_counts_them():
    file = filled(SOURCE, LIVE, ["first", "second"])

    assert file.text == LIVE.replace("return 0\n", "return second() + 1\n", 1)
    own = {file.own_line(number + 1): text for number, text in enumerate(file.text.splitlines())}
    lines = SOURCE.splitlines()
    assert {number: text for number, text in own.items() if number} == {
        number + 1: lines[number] for number in (0, 1, 4, 5, 6, 7, 8, 9, 10)
    }


@pytest.mark.parametrize(
    "text",
    [
        SOURCE.replace("raise NotImplementedError", "return 7").replace("...", "return 8"),
        "def mine():\n    return 1\n",
        "def first(): ...\n\n\nclass second: ...\n",
    ],
    ids=["written by the student", "taken out of the file", "no place to put it"],
)
def test_what_is_the_students_own_stays_as_it_is(text):
    assert filled(text, LIVE, ["first", "second"]).text == text


def test_a_body_follows_the_students_indentation():
    assert "\n\tone = 1\n\ttwo = 2\n" in filled("def first():\n\tpass\n", LIVE, ["first"]).text


@pytest.mark.slow
def test_a_mistake_is_told_at_the_students_line_however_long_what_was_put_back(grader):
    exercise = get("multi_head_attention")
    stub = stub_of(exercise).replace(
        'raise NotImplementedError("MultiHeadAttention.forward is not written yet")', "return nothing_of_this_name"
    )

    result = grader.check(exercise, stub)

    (number,) = [number for number, line in enumerate(stub.splitlines(), start=1) if "nothing_of_this_name" in line]
    assert result.where == f"line {number}: return nothing_of_this_name"


def test_a_mistake_that_shows_in_the_librarys_lines_shows_none_of_them():
    source = "def mine():\n    return None\n\n\ndef neighbour():\n    ...\n"
    file = filled(source, "def neighbour():\n    answer = mine() + 1\n    return answer\n", ["neighbour"])
    names = {}
    exec(compile(file.text, "student.py", "exec"), names)

    with pytest.raises(TypeError) as caught:
        names["neighbour"]()

    assert describe(caught.value, StudentFile("student.py", file))["where"] == ""


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_a_notebook_finds_the_text_of_what_is_defined_under_its_decorators(exercise):
    compile(from_notebook(exercise).encode(), exercise.name, "exec")
