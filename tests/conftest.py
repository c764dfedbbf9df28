"""What every test can rely on: our own packages, their shapes enforced, no GPU, one number of threads, one seed."""

import importlib
import importlib.util
import os
import random
from collections.abc import Iterator
from pathlib import Path

os.environ["FT_LANG"] = "en"  # what a test reads is English, whoever runs it
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA's matrix products are deterministic only with it

import jaxtyping
import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
COURSE, MISTAKES = ("lessons", "exercises", "fuzz"), ("bad_input", "transformer/test_bad_input.py")
AS_USERS = [ROOT / "tests" / part for part in (*COURSE, *MISTAKES)]
"""Where signatures are not enforced: the course, which is not what they are about, and mistakes that our own checks must see."""

SHAPED_PACKAGES = ["transformer", "quant", "peft", "rlhf"]

typechecking = importlib.import_module("tests.typechecking") if importlib.util.find_spec("beartype") else None
if typechecking:
    typechecking.install(SHAPED_PACKAGES)

# A command that a test calls sets the threads as well, so the number stands where commands and children look for it: two
# processes with two threads each wait for each other on two cores, and everything takes twice as long.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("FT_THREADS", "1")
torch.set_num_threads(int(os.environ.get("FT_THREADS", "2")))
torch.use_deterministic_algorithms(True)


def pytest_configure(config: pytest.Config) -> None:
    """Hides the GPUs from all tests but those of tests/gpu, so that every machine computes the same numbers.

    Stops at once where `import peft` would find Hugging Face PEFT instead of ours.
    """
    if not any("gpu" in Path(asked.partition("::")[0]).parts for asked in config.args):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    found = importlib.util.find_spec("peft")
    if found and found.origin and not Path(found.origin).resolve().is_relative_to(ROOT):
        pytest.exit(
            f"`import peft` finds {found.origin}, which is not this project's peft. "
            f"Run the tests from {ROOT} in an environment without Hugging Face PEFT: make test",
            returncode=3,
        )


@pytest.fixture(autouse=True)
def seed() -> int:
    """Every test starts from the same random state, whichever tests ran before it."""
    random.seed(0)
    torch.manual_seed(0)
    return 0


@pytest.fixture(autouse=True)
def signatures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Enforced where the packages themselves are tested; elsewhere they run as users have them."""
    if typechecking:
        typechecking.checks.clear()
    jaxtyping.config.update("jaxtyping_disable", any(request.path.is_relative_to(part) for part in AS_USERS))
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def rng(seed: int) -> np.random.Generator:
    """NumPy's generator for the reference mathematics."""
    return np.random.default_rng(seed)
