"""torch.compile traces a base that carries adapters (in a process without the run-time checks, which it cannot trace)."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import copy, torch
from tests.peft.small import batch, technique, take_steps
from peft import RECIPES
for method in RECIPES:
    if method == "pill":  # its layers read the ids of the call, which only the PeftModel knows
        continue
    model = technique(method)
    take_steps(model, 1)
    compiled = torch.compile(model.base_model, backend="eager")
    torch.testing.assert_close(compiled(*batch()), model(*batch()), atol=1e-5, rtol=1e-5)
    torch._dynamo.reset()
    print(method, "ok")
"""


@pytest.mark.slow
def test_every_adapted_base_can_be_compiled() -> None:
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run([sys.executable, "-c", PROGRAM], cwd=root, capture_output=True, text=True, timeout=500)
    assert run.returncode == 0, run.stderr[-3000:]
