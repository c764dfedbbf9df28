"""The same mistakes where the tests run: so that a changed line of a check is seen, and not only what a user is told."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bad_input.mistakes import MISTAKES

ROOM = 4 << 30


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """A huge size that is not refused fails here and not elsewhere."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused(mistake: str):
    call, wanted = MISTAKES[mistake]

    with pytest.raises(Exception) as raised:
        call()

    told = f"{type(raised.value).__name__}: {raised.value}"
    assert all(part in told for part in wanted.split("FOLDER"))
