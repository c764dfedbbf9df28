"""What a student gets: files that Python reads, with nothing of anybody's answer in them."""

import pytest

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.student.workbook import Workbook
from lessons.exercises.teacher.release import release_students

EXERCISES = all_exercises()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Every file that a student can be given: by `start` and by `release`."""
    folder = tmp_path_factory.mktemp("written")
    book = Workbook(folder / "workbook")
    for exercise in EXERCISES.values():
        book.start(exercise)
    release_students(folder / "released", list(EXERCISES.values()))
    return [folder / "workbook", folder / "released" / "workbook"]


@pytest.mark.parametrize("name", EXERCISES)
def test_python_reads_what_was_written(written, name):
    """From bytes: a comment in the first two lines may name the file's encoding without meaning to (PEP 263)."""
    for folder in written:
        compile((folder / f"{name}.py").read_bytes(), name, "exec")
