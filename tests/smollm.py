"""The language model that `make smollm` fetches: its file, and the mark of the tests that need it."""

from pathlib import Path

import pytest

SMOLLM = Path(__file__).resolve().parent.parent / "runs" / "smollm" / "SmolLM2-135M-Instruct.Q4_1.gguf"
needs_smollm = pytest.mark.skipif(not SMOLLM.is_file(), reason="SmolLM2 is not here: `make smollm` fetches it")
