"""The library as a wheel, for students to install: built from a copy of the checkout, so that nothing is left in it."""

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lessons.exercises.exercise import Exercise
from lessons.exercises.grading import tree
from lessons.exercises.source import LIBRARY
from lessons.exercises.teacher.exam import without_answers

BESIDE_PACKAGES = ("setup.cfg", "pyproject.toml", "constraints.txt", "README.md", "LICENSE")
NOT_GIVEN = shutil.ignore_patterns("__pycache__", "*.ipynb", "*.egg-info")


def build_wheel(folder: Path, exam: Sequence[Exercise] = ()) -> Path:
    """Writes the wheel into the folder and returns its path.

    `exam`   the exercises whose answers and hints are not to be in it

    Raises ValueError where the library is installed and there is no checkout to build from.
    """
    if not (LIBRARY / "setup.cfg").is_file():
        raise ValueError(
            "a wheel is built from a checkout, and here the library is installed: give the wheel that it was installed "
            "from (--wheel FILE), or let students install it from an index (--no-wheel)"
        )
    with tempfile.TemporaryDirectory(prefix="wheel-") as scratch:
        origin = Path(scratch) / "library"
        copy_library(origin)
        if exam:
            without_answers(origin, exam)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder)]
        ready = importlib.util.find_spec("setuptools") is not None
        command += ["--no-build-isolation"] if ready else []
        run = subprocess.run([*command, str(origin)], capture_output=True, text=True)
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise ValueError(
            f"the wheel could not be built: {last}; build one yourself (pip wheel --no-deps .) and give it by --wheel"
        )
    (wheel,) = folder.glob("*.whl")
    return wheel


def copy_library(target: Path) -> None:
    """The packages and what belongs to their building."""
    for package in (*tree.PACKAGES, "lessons"):
        shutil.copytree(LIBRARY / package, target / package, ignore=NOT_GIVEN)
    for name in BESIDE_PACKAGES:
        if (LIBRARY / name).is_file():
            shutil.copy(LIBRARY / name, target / name)
