"""The scratch folder: what lies in it, and that it goes away with whatever a student's file has left in it."""

import os
import py_compile
from importlib.util import cache_from_source
from pathlib import Path

from lessons.exercises.grading import stage
from lessons.exercises.grading.tree import build, remove
from lessons.exercises.source import LIBRARY
from tests.exercises.hostile import EXERCISE, solution


def test_what_python_has_compiled_comes_along_and_stays_valid_but_for_the_solution(tmp_path):
    names = ("transformer/masks.py", "transformer/add_norm.py", "tests/reference/attention.py")
    for name in names:
        py_compile.compile(str(LIBRARY / name), doraise=True)

    scratch = build(tmp_path, EXERCISE.module, solution(), EXERCISE.tests)

    compiled = [Path(cache_from_source(scratch / name)) for name in names]
    assert [each.exists() for each in compiled] == [True, False, True]
    assert not list(scratch.rglob("add_norm.*pyc"))
    for name, each in zip(names, compiled, strict=True):
        if each.exists():  # the bytes 8 to 12 are the time of the source that it was compiled of
            assert int.from_bytes(each.read_bytes()[8:12], "little") == int((scratch / name).stat().st_mtime)


def test_of_a_milestone_s_files_nothing_compiled_comes_along(tmp_path):
    """There several modules are the student's, and each of them is a solution in the library."""
    modules = ("transformer.masks", EXERCISE.module)
    for module in modules:
        py_compile.compile(str(LIBRARY.joinpath(*module.split(".")).with_suffix(".py")), doraise=True)
    py_compile.compile(str(LIBRARY / "transformer/dropout.py"), doraise=True)

    scratch = stage.build(tmp_path, dict.fromkeys(modules, "raise NotImplementedError"))

    assert Path(cache_from_source(scratch / "transformer/dropout.py")).is_file()
    assert not [path for path in scratch.rglob("*.pyc") if path.name.startswith(("masks.", "add_norm."))]


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
