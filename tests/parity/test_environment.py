"""The second environment: it holds HF's libraries and bitsandbytes, in the versions of the comparisons."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PARITY_PYTHON = Path(os.environ.get("FT_PARITY_PYTHON", ROOT / ".venv-parity" / "bin" / "python"))

pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(
        not PARITY_PYTHON.exists(), reason=f"there is no {PARITY_PYTHON}: make parity, or set FT_PARITY_PYTHON"
    ),
]


@pytest.mark.parametrize("name", ["transformers", "peft", "bitsandbytes", "torch", "ctranslate2"])
def test_a_library_is_imported_in_its_pinned_version(name, tmp_path):
    lines = (ROOT / "tests" / "parity" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    program = f"import {name}; print({name}.__version__.split('+')[0], {name}.__file__)"

    # -I: neither the folder it is started in nor PYTHONPATH can put our own peft in its place
    run = subprocess.run([PARITY_PYTHON, "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)

    version, file = run.stdout.split(maxsplit=1)
    assert version == pinned[name]
    assert Path(file.strip()).is_relative_to(PARITY_PYTHON.parent.parent)
