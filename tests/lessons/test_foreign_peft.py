"""The course's first steps in an environment that holds another `peft`: ours is imported, with one warning."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIRST_STEPS = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import peft
print(peft.__file__)
print([str(warning.message) for warning in caught if "peft" in str(warning.message)])
from lessons.task.base import load_base
from lessons.task.finetuning import fine_tune
model, losses = fine_tune("lora", ["bath", "tomato"], steps=1)
model.print_trainable_parameters()
"""


@pytest.mark.slow
def test_the_first_steps_work_beside_the_published_peft(tmp_path: Path) -> None:
    (tmp_path / "peft").mkdir()
    (tmp_path / "peft" / "__init__.py").write_text("raise ImportError('this is the published peft')")
    (tmp_path / "peft-0.21.2.dist-info").mkdir()
    (tmp_path / "peft-0.21.2.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: peft\nVersion: 0.21.2\n")
    program = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(tmp_path)!r}]\n{FIRST_STEPS}"

    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)

    assert run.returncode == 0, run.stderr[-2000:]
    imported, warned, trainable = run.stdout.splitlines()[-3:]
    assert imported == str(ROOT / "peft" / "__init__.py")
    assert warned.count("Hugging Face PEFT 0.21.2") == 1
    assert "do not work" in warned
    assert trainable.startswith("trainable params: ")
