"""Who handed in, and where it lies. A name is for people to read: it is never a path, and two students never share one.

FOLDER/ada/workbook/layer_norm.py     a folder for each student; files are found by the exercises' names
FOLDER/grace.py                       a file for each student, where one exercise is graded
"""

import os
from pathlib import Path

from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.result import clean
from lessons.exercises.source import UnreadableSourceError

DEEPEST = 10


def submissions(folder: Path, alone: bool, one_exercise: bool) -> dict[str, Path]:
    """Student → where their work lies: a folder, or a file. Raises ValueError for names that cannot be told apart.

    `alone`   the folder is one student's
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    if alone:
        return {clean(folder.resolve().name): folder}
    found = [(path.name, path) for path in sorted(folder.iterdir()) if path.is_dir() and not path.is_symlink()]
    if one_exercise:
        files = [path for path in sorted(folder.iterdir()) if path.suffix == ".py" and path.is_file()]
        found += [(path.stem, path) for path in files if not path.is_symlink()]
    if not found:
        raise ValueError(
            f"{folder} holds no submissions: a folder for each student, or with --exercises NAME a file for each, STUDENT.py"
        )
    named: dict[str, Path] = {}
    taken: dict[str, Path] = {}
    for given, path in found:
        name = " ".join(clean(given).split())
        if name in ("", ".", ".."):
            raise ValueError(f"{path!r}: {name!r} is no student's name: rename it")
        if other := taken.get(name.casefold()):
            raise ValueError(f"two are called {name.casefold()}: {str(other)!r} and {str(path)!r}; rename one of them")
        taken[name.casefold()] = named[name] = path
    return named


def find_submission(folder: Path, exercise: Exercise) -> Path | None:
    """The file with the exercise's name, anywhere in the student's folder. Links are not followed: they may lead out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(folders) if len(Path(parent).relative_to(folder).parts) < DEEPEST else []
        if exercise.file_name in names:
            path = Path(parent) / exercise.file_name
            if path.is_symlink() or not path.is_file():
                raise UnreadableSourceError(f"{exercise.file_name} is a link or no file, and is not read")
            return path
    return None


def file_of(place: Path, exercise: Exercise) -> Path | None:
    """A student's file for this exercise, where their place is a folder or the file itself."""
    return place if place.is_file() else find_submission(place, exercise)
