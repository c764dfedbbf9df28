"""The scratch folder, which goes away with whatever a student's file has left in it."""

import os

from lessons.exercises.grading.tree import remove


def test_folders_nested_deeper_than_python_follows_are_removed(tmp_path):
    place = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=place)
        inner = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(place)

    remove(tmp_path / "d")

    assert not (tmp_path / "d").exists()
