"""`watch` notices what was saved, when it is whole."""

import threading
import time

from lessons.exercises.student.file_changes import QUIET_SECONDS, saved_files


def test_a_file_is_told_once_and_not_before_it_is_quiet(tmp_path):
    path, untouched = tmp_path / "a.py", tmp_path / "b.py"
    untouched.write_text("as it was")
    changes = saved_files([path, untouched])

    def save_in_pieces():
        time.sleep(0.2)
        for length in range(1, 9):
            path.write_text("x" * length)
            time.sleep(QUIET_SECONDS / 4)

    saving = threading.Thread(target=save_in_pieces)
    saving.start()

    assert next(changes) == path
    assert path.read_text() == "x" * 8
    saving.join()


def test_a_file_that_is_gone_is_no_saved_file(tmp_path):
    gone, saved = tmp_path / "a.py", tmp_path / "b.py"
    gone.write_text("text")
    changes = saved_files([gone, saved])

    def act():
        time.sleep(0.2)
        gone.unlink()
        time.sleep(2 * QUIET_SECONDS)
        saved.write_text("text")

    acting = threading.Thread(target=act)
    acting.start()

    assert next(changes) == saved
    acting.join()


def test_what_is_saved_before_the_first_question_counts(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("as it was")
    changes = saved_files([path])

    path.write_text("saved while the grader warms up")

    assert next(changes) == path
