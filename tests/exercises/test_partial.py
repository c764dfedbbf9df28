"""Partial credit is what the judge confirms, and nothing that a file says of itself."""

import pytest

from lessons.exercises.catalogue import get
from lessons.exercises.source import without_bodies
from lessons.exercises.stub import live_source
from lessons.exercises.teacher.grade import Rules, grades_of

EXERCISE = get("pack_nibbles")
PACK, UNPACK = EXERCISE.targets
LIVE = live_source(EXERCISE)


def wrong(target: str) -> str:
    """Tests are stopped, and the function computes nothing that is right."""
    return without_bodies(LIVE, [target]).replace(
        f'raise NotImplementedError("{target} is not written yet")', "return None"
    )


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[float | None, str]]:
    folder = tmp_path_factory.mktemp("class")
    texts = {
        "right": LIVE,
        "first": wrong(UNPACK),
        "second": without_bodies(LIVE, [PACK]),
        "forger": wrong(PACK).replace("return None", "import os; os._exit(0)"),
        "neither": "\n".join([without_bodies(LIVE, EXERCISE.targets), "x = 1"]),
    }
    for student, text in texts.items():
        (folder / f"{student}.py").write_text(text, encoding="utf-8")
    students = {student: folder / f"{student}.py" for student in texts} | {"refused": folder / "right.py"}
    rules = Rules(partial=True, refused={"refused": "the zip file leads out"})
    grades = grades_of(students, [EXERCISE], workers=2, only_behind_wall=False, rules=rules)
    return {mine[0].student: (mine[0].points, mine[0].result.message) for mine in grades}


@pytest.mark.slow
def test_each_function_that_is_right_earns_its_share(points: dict[str, tuple[float | None, str]]) -> None:
    earned = {student: value for student, (value, _) in points.items()}
    half = EXERCISE.worth / 2
    assert earned == {"right": 2 * half, "first": half, "second": half, "forger": half, "neither": 0, "refused": 0}


@pytest.mark.slow
def test_the_student_is_told_which(points: dict[str, tuple[float | None, str]]) -> None:
    assert f"the judge confirms 1 of 2 functions: {PACK}" in points["first"][1]
    assert f"the judge confirms 1 of 2 functions: {UNPACK}" in points["second"][1]
    assert points["refused"][1] == "the zip file leads out"
