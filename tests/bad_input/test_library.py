"""Every mistake gets an error of ours: one line that names the thing, with the numbers, and soon."""

import re
import resource
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from peft import LoraConfig, get_peft_model
from quant import INT4_CODEBOOK, quantize_4bit
from tests.bad_input.mistakes import FIELDS, MISTAKES, base, ppo, run
from transformer import TransformerConfig

SECONDS, ROOM = 2, 4 << 30


@pytest.fixture(scope="module", autouse=True)
def what_must_not_be_refused_by_the_way() -> None:
    quantize_4bit(torch.randn(4, 64), INT4_CODEBOOK)  # which has one level below -1, that no weight takes
    assert len(run()) == 3  # the first optimizer of a process takes seconds, which count for no mistake
    LoraConfig(r=2, lora_alpha=3, target_modules=["fc1"], alpha_pattern={"fc1": 2})
    ppo(gamma=1, lam=0, kl_target=2, stop_at=0.1)


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """A huge size that is not refused fails here and not elsewhere."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(autouse=True)
def little_time() -> Iterator[None]:
    """Of a processor."""

    def too_slow(number: int, frame: object) -> None:
        raise TimeoutError(f"it took more than {SECONDS} seconds")

    before = signal.signal(signal.SIGPROF, too_slow)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_in_one_line_with_its_numbers(mistake: str):
    call, wanted = MISTAKES[mistake]
    wanted = wanted if re.match(r"\w+Error: ", wanted) else f"ValueError: {wanted}"

    with pytest.raises(Exception) as raised:
        call()

    told = f"{type(raised.value).__name__}: {raised.value}"
    told = re.sub(rf"{re.escape(tempfile.gettempdir())}\S*?/tmp\w+", "FOLDER", told)
    assert told.startswith(wanted)
    assert "\n" not in told
    assert len(told) < 1500


def test_the_largest_sizes_that_are_taken():
    for layers in ("num_encoder_layers", "num_decoder_layers"):
        assert getattr(TransformerConfig(**FIELDS | {layers: 1024}), layers) == 1024
    TransformerConfig(**FIELDS | {"d_model": 64, "num_heads": 1, "max_length": 2**20})
    wide = FIELDS | {"d_model": 1024, "num_heads": 1}
    TransformerConfig(**wide | {"vocab_size": 2**30})
    TransformerConfig(**wide | {"d_ff": 2**27, "num_decoder_layers": 3})
    TransformerConfig(**FIELDS | {"num_encoder_layers": 0, "positions": "rotary", "max_length": 2**40})
    assert TransformerConfig(**FIELDS | {"eos_id": 16}).eos_id == 16
    model = get_peft_model(base(), LoraConfig(r=1, lora_dropout=0.0, target_modules=".*q_proj|" + "q" * 991), "n" * 100)
    assert model.active == ("n" * 100,)
