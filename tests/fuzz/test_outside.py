"""Whatever is read from outside is read or refused, in one line, within two seconds and a gigabyte; nothing is written."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.harness import QUIETLY
from tests.fuzz.targets import TARGETS

CALMLY = {
    **QUIETLY,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.differing_executors],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outside")


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=25, **CALMLY)
@given(data=st.data())
def test_it_is_read_or_refused_in_one_line(target: str, folder: Path, data: st.DataObject):
    TARGETS[target](data.draw, folder)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=1000, **CALMLY)
@given(data=st.data())
def test_thousands_of_them_are_read_or_refused_in_one_line(target: str, folder: Path, data: st.DataObject):
    TARGETS[target](data.draw, folder)
