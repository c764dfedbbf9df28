"""A small repository in a scratch folder, in which a student's whole file stands where the module stood.

folder/scratch/transformer/...     our packages, without the module of the exercise
folder/scratch/transformer/x.py    the student's file
folder/scratch/lessons/            only what a test or a probe needs of it; for an exercise of the clinic, the clinic
folder/scratch/tests/              the tests that grade, if they are asked for
folder/scratch/tmp/                the only place that may be written to
"""

import contextlib
import shutil
import subprocess
from collections.abc import Collection, Iterable, Iterator
from importlib.util import cache_from_source
from pathlib import Path

from lessons.exercises.source import LIBRARY

PACKAGES = ("transformer", "quant", "peft", "rlhf")
SHARED = ("__init__.py", "exercises/__init__.py", "exercises/diagnosis")
PROBES = "exercises/probes"
CLINIC = "clinic"
"""The one room of the course that holds exercises itself, and the patients that they are measured on."""
LANGUAGE = "language"
"""What the clinic says its findings with."""


class NoTestsError(FileNotFoundError):
    """The tests that grade are not here: the library was installed without them."""


def tests_folder() -> Path:
    """The grading tests: beside the packages in a checkout, else in the present folder, as `release` lays them out."""
    for root in (LIBRARY, Path.cwd()):
        if (root / "tests" / "conftest.py").is_file() and (root / "tests" / "reference").is_dir():
            return root / "tests"
    raise NoTestsError(
        f"there are no tests in {LIBRARY / 'tests'} or in {Path.cwd() / 'tests'}, and without them nothing can be graded: "
        "run from a checkout, or from the folder that the teacher gave out"
    )


def installed() -> bool:
    """Our packages lie among all others, in site-packages, and not in a checkout."""
    return (LIBRARY / "torch").is_dir()


def solutions() -> list[Path]:
    """Where the solutions lie on this machine: the packages, their tests and their history."""
    found = [LIBRARY / name for name in (*PACKAGES, "lessons", "tests", "build", "dist", ".git", "README.md")]
    return [path for path in found if path.exists()]


def build(folder: Path, module: str, source: str, tests: Iterable[str]) -> Path:
    """The scratch folder, ready. Without tests it holds the probes instead."""
    scratch = laid_out(folder, module, source, tests)
    bring_compiled(scratch)
    return scratch


def laid_out(folder: Path, module: str, source: str, tests: Iterable[str]) -> Path:
    """The same, and nothing compiled."""
    scratch = folder / "scratch"
    (scratch / "tmp").mkdir(parents=True)
    for package in PACKAGES:
        if (LIBRARY / package).is_dir():
            copy(LIBRARY / package, scratch / package, leave_out=module.split("."))
    if module.startswith(f"lessons.{CLINIC}."):
        copy(LIBRARY / "lessons" / CLINIC, scratch / "lessons" / CLINIC, leave_out=module.split("."))
        copy(LIBRARY / "lessons" / LANGUAGE, scratch / "lessons" / LANGUAGE)
    place = scratch.joinpath(*module.split(".")).with_suffix(".py")
    place.write_text(source, encoding="utf-8")
    test_files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    for part in (*SHARED, *([] if test_files else [PROBES])):
        copy(LIBRARY / "lessons" / part, scratch / "lessons" / part)
    if test_files:
        copy_tests(tests_folder(), scratch / "tests", test_files)
    return scratch


def remove(folder: Path) -> None:
    """Also what is nested deeper than Python follows."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        subprocess.run(["rm", "-rf", str(folder)], check=False)


def copy_tests(origin: Path, target: Path, test_files: Collection[str]) -> None:
    """What the files import: the reference mathematics, the fixtures, and helpers that lie beside them."""
    if missing := [file for file in test_files if not (origin.parent / file).is_file()]:
        raise NoTestsError(f"{missing[0]} is not here: update the library, or the folder that the teacher gave out")
    copy(origin / "conftest.py", target / "conftest.py")
    copy(origin / "typechecking.py", target / "typechecking.py")
    copy(origin / "reference", target / "reference")
    for folder in dict.fromkeys(Path(file).relative_to("tests").parent for file in test_files):
        for path in (origin / folder).glob("*.py"):
            copy(path, target / folder / path.name)


def copy(origin: Path, target: Path, leave_out: Iterable[str] = ()) -> None:
    """A file or a folder's Python files, but for one module. Times stay, so that what was compiled stays valid."""
    left_out = LIBRARY.joinpath(*leave_out).with_suffix(".py") if leave_out else None
    for path in python_files(origin):
        if path != left_out:
            place = target / path.relative_to(origin) if path != origin else target
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)


def bring_compiled(scratch: Path) -> None:
    """What Python has compiled of the files that are here as they are in the library: of a student's file nothing is."""
    for path in python_files(scratch):
        part = path.relative_to(scratch)
        origin = (tests_folder().parent if part.parts[0] == "tests" else LIBRARY) / part
        compiled, place = Path(cache_from_source(origin)), Path(cache_from_source(path))
        with contextlib.suppress(FileNotFoundError):
            if origin.stat().st_mtime_ns == path.stat().st_mtime_ns and compiled.is_file():
                place.parent.mkdir(exist_ok=True)
                shutil.copy2(compiled, place)


def python_files(origin: Path) -> Iterator[Path]:
    if origin.is_file():
        yield origin
    else:
        yield from (path for path in origin.rglob("*.py") if "__pycache__" not in path.parts)
