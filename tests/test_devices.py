"""Which tests see a GPU: those of tests/gpu alone."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        ("tests", ""),
        ("tests/lessons/test_memory.py::test_a", ""),
        ("tests/gpu", "7"),
        ("tests/gpu/test_a.py::test_b", "7"),
    ],
)
def test_gpus_are_hidden_but_from_their_own_tests(
    asked: str, seen: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    conftest = request.config.pluginmanager.get_plugin(str(CONFTEST))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")

    conftest.pytest_configure(SimpleNamespace(args=[asked]))

    assert os.environ["CUDA_VISIBLE_DEVICES"] == seen
