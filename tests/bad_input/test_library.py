"""Every mistake gets an error of ours: one line that names the thing, with the numbers, and soon."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.bad_input.mistakes import MISTAKES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def raised(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What each mistake raised; none takes more than 4 GB of addresses, so that a huge size fails here and not elsewhere."""
    folder = tmp_path_factory.mktemp("mistakes")
    command = f"ulimit -v 12000000; TMPDIR={folder} exec {sys.executable} -m tests.bad_input.mistakes"
    run = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_in_one_line_with_its_numbers(raised: Mapping[str, str], mistake: str):
    _, wanted = MISTAKES[mistake]
    wanted = wanted if re.match(r"\w+Error: ", wanted) else f"ValueError: {wanted}"

    told = re.sub(rf"{re.escape(tempfile.gettempdir())}\S*?/tmp\w+", "FOLDER", raised[mistake])

    assert told.startswith(wanted)
    assert "\n" not in told
    assert len(told) < 1500
