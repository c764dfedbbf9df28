"""A language model on a GPU: what it computes on a CPU, with every technique that has a place there, in four bits, and taught."""

import copy
from pathlib import Path

import pytest
import torch

from peft import RECIPES, get_peft_model
from quant import LinearQ4
from tests.lessons.test_chat_command import gguf  # noqa: F401  a fixture
from tests.lessons.test_chat_training import conversations, whole_and_stopped  # noqa: F401  a fixture
from tests.peft.small import step_by_step
from tests.peft.test_language_model import REFUSED, TEXT, base, tuned
from tests.transformer.test_language_model import FAMILIES, language_model
from transformer import generate

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU, or not asked for: pytest tests/gpu")
METHODS = [method for method in RECIPES if method not in REFUSED]
PADDED = torch.tensor([[5, 8, 11, 6, 4, 9, 3], [0, 0, 0, 7, 12, 9, 3]])
CLOSE = {"atol": 1e-4, "rtol": 1e-4}


@FAMILIES
@pytest.mark.parametrize("attention", ["math", "fused"])
def test_logits_and_gradients(attention: str, family: dict[str, object]) -> None:
    here = language_model(**family, attention=attention).float()
    there = copy.deepcopy(here).cuda()
    for model, text in ((here, PADDED), (there, PADDED.cuda())):
        model(text).square().mean().backward()

    real = PADDED != 0
    torch.testing.assert_close(there(PADDED.cuda()).cpu()[real], here(PADDED)[real], **CLOSE)
    for mine, theirs in zip(here.parameters(), there.parameters(), strict=True):
        torch.testing.assert_close(theirs.grad.cpu(), mine.grad, **CLOSE)


@FAMILIES
@pytest.mark.parametrize("settings", [{}, {"num_beams": 3}, {"fast": True}])
def test_generation(settings: dict[str, object], family: dict[str, object]) -> None:
    model = language_model(**family).float()
    expected = generate(model, PADDED, 6, **settings)

    assert torch.equal(generate(model.cuda(), PADDED.cuda(), 6, **settings).cpu(), expected)


@pytest.mark.parametrize("method", METHODS)
def test_every_technique_is_on_what_it_is_on_a_cpu_and_off_the_base_to_the_last_bit(method: str) -> None:
    model = tuned(method)
    expected = model(TEXT)
    model, text = model.cuda(), TEXT.cuda()

    torch.testing.assert_close(model(text).cpu(), expected, **CLOSE)
    torch.testing.assert_close(step_by_step(model, text[:, :3], text), model(text)[:, 2:], **CLOSE)
    with model.disable_adapter():
        assert torch.equal(model(text), base(method).cuda()(text))


@pytest.mark.parametrize("method", METHODS)
def test_every_technique_learns_there_in_bf16(method: str) -> None:
    model = get_peft_model(base(method).cuda(), RECIPES[method].config()).train()
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=0.01)
    text, losses = TEXT.cuda(), []
    for _ in range(5):
        with torch.autocast("cuda", torch.bfloat16):
            logits = model(text)
        losses.append(torch.nn.functional.cross_entropy(logits[:, :-1].float().flatten(0, 1), text[:, 1:].flatten()))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()

    assert losses[-1] < losses[0]


@pytest.mark.parametrize("minimum", [True, False])
def test_ggml_s_four_bits_to_the_last_bit(minimum: bool) -> None:
    linear = torch.nn.Linear(96, 40)
    here = LinearQ4.from_linear(linear, minimum, torch.float32)
    there = LinearQ4.from_linear(copy.deepcopy(linear).cuda(), minimum, torch.float32)
    x = torch.randn(3, 96)

    for name, buffer in here.named_buffers():
        assert torch.equal(there.get_buffer(name).cpu(), buffer), name
    assert torch.equal(there.dequantized().cpu(), here.dequantized())
    torch.testing.assert_close(there(x.cuda()).cpu(), here(x), **CLOSE)


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_a_conversation_is_taught_and_what_was_stopped_goes_on(
    method: str,
    gguf: Path,  # noqa: F811
    conversations: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, cut = whole_and_stopped(gguf, conversations, tmp_path, monkeypatch, "--method", method)

    assert cut == whole
