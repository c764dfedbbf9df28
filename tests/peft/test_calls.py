"""A PeftModel is called as its base is: by position or by name, and its layers know what is read."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from peft import PeftModel, PillConfig, get_peft_model
from tests.peft.small import CONFIG, batch, config_of, small_base, technique
from transformer import EncoderOnly

TYPES = [token % 3 for token in range(CONFIG.vocab_size)]
SOURCE, TARGET = batch()
CALLS: dict[str, Callable[[PeftModel], Tensor]] = {
    "forward": lambda model: model(SOURCE, TARGET, 1),
    "forward, by name": lambda model: model(target=TARGET, offset=1, source=SOURCE),
    "states and output": lambda model: model.output(model.states(SOURCE, target=TARGET, offset=1)),
    "encode and decode": lambda model: model.decode(TARGET, *model.encode(SOURCE, offset=1)),
    "decode, by name": lambda model: model.decode(
        target=TARGET, **dict(zip(("memory", "memory_mask"), model.encode(SOURCE, 1)))
    ),
    "encode and read": lambda model: model.output(model.read(TARGET, *model.encode(source=SOURCE, offset=1))),
}


@pytest.mark.parametrize("call", CALLS)
def test_every_call_reads_the_same(call: str) -> None:
    torch.manual_seed(1)
    model = get_peft_model(small_base(), PillConfig(r=5, token_types=TYPES)).eval()
    with torch.no_grad():
        for parameter in model.adapters["default"].own_parameters().values():
            parameter.normal_(std=0.5)
    expected = CALLS["forward"](model)
    model(TARGET, SOURCE)  # a call before it, which read something else

    assert torch.equal(CALLS[call](model), expected)


def test_settings_of_decoding_have_names() -> None:
    model = technique("lora", init_lora_weights=False)

    tokens, next_logits = model.decoding(SOURCE, num_beams=1, room=3, use_cache=False)

    expected = model(SOURCE, tokens)[:, -1]
    torch.testing.assert_close(next_logits(tokens, None), expected, atol=1e-5, rtol=1e-5)


def test_an_encoder_reads_its_segments_by_name() -> None:
    torch.manual_seed(0)
    base = EncoderOnly(replace(CONFIG, num_decoder_layers=0, num_segments=2)).eval()
    segments = torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 1, 1]])
    expected, _ = base.encode(SOURCE, segments=segments)

    model = get_peft_model(base, config_of("ia3")).eval()

    assert torch.equal(model.encode(SOURCE, segments=segments)[0], expected)
