"""The fast step of decoding: the clear decoder's numbers, for every kind of model, and nothing but plain models."""

import pytest
import torch
from torch import nn

from peft import BitFitConfig, LoraConfig, get_peft_model
from tests.transformer import small
from tests.transformer.small import SOURCE, TARGET
from transformer import DecoderOnly, generate
from transformer.decoding import fast_blocks

KINDS = {
    "paper": {},
    "pre": {"norm": "pre", "positions": "learned", "attention": "fused", "layer_norm_eps": 0.3},
    "bart": {"norm_embeddings": True, "positions": "learned", "activation": "gelu", "output_bias": True},
    "marian": {"scale_embeddings": False, "activation": "silu"},
    "shared heads, normed": {"num_heads": 6, "num_kv_heads": 2, "head_size": 4, "norm_heads": True, "norm_kind": "rms"},
    "gated": {"gated": True, "bias": False, "qkv_bias": True, "activation": "silu"},
}
LLAMA = {"norm": "pre", "norm_kind": "rms", "positions": "rotary", "rope_base": 50.0, "num_heads": 6, "num_kv_heads": 2,
         "head_size": 4, "bias": False, "gated": True, "activation": "silu", "attention": "fused"}  # fmt: skip
ALONE = {
    "paper": KINDS["paper"],
    "pre": KINDS["pre"],
    "llama": LLAMA,
    "llama 3.1": LLAMA | {"rope_factor": 8.0, "rope_original_length": 30, "rope_high_freq_factor": 2.0},
    "qwen2": LLAMA | {"qkv_bias": True},
    "qwen3": LLAMA | {"norm_heads": True, "attention": "math"},
}
ROOM = 7
PROMPTS = {
    "padded": torch.tensor([[0, 0, 7, 5], [0, 4, 9, 6], [3, 5, 6, 11]]),
    "whole": torch.tensor([[8, 4, 7, 5], [1, 4, 9, 6], [3, 5, 6, 11]]),
}


def decoder_only(**changes) -> DecoderOnly:
    torch.manual_seed(1)
    return small.shaken(DecoderOnly(small.config(**{"num_encoder_layers": 0, **changes})))


def logits(model, source, beams, fast, tokens, rows=None):
    """What each step says; before the fourth the rows change places, as beams do."""
    with torch.inference_mode():
        start, next_logits = model.decoding(source, beams, ROOM, fast=fast)
        first = start.shape[1]
        return torch.stack(
            [
                next_logits(tokens[:, :length], rows if length == first + 3 else None)
                for length in range(first, tokens.shape[1] + 1)
            ]
        )


@pytest.mark.parametrize("kind", KINDS)
def test_its_logits_are_those_of_the_clear_decoder(kind):
    model = small.model(**KINDS[kind])

    fast, clear = (logits(model, SOURCE, 1, fast, TARGET) for fast in (True, False))

    torch.testing.assert_close(fast, clear)


@pytest.mark.parametrize("source", [SOURCE, SOURCE[:1]], ids=["padded", "whole"])
def test_beams_ask_the_memory_of_their_source_and_take_their_past_along(source):
    model, beams = small.model(), 6 // len(source)
    tokens, rows = TARGET.repeat(2, 1), torch.tensor([1, 1, 0, 2, 3, 3])

    fast, clear = (logits(model, source, beams, fast, tokens, rows) for fast in (True, False))

    torch.testing.assert_close(fast, clear)


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("kind", ALONE)
@pytest.mark.parametrize("beams", [1, 2])
def test_a_decoder_alone_goes_on_from_its_prompt(kind, prompt, beams):
    model, source = decoder_only(**ALONE[kind]), PROMPTS[prompt]
    tokens = torch.cat([source.repeat_interleave(beams, dim=0), TARGET.repeat(beams, 1)], dim=1)
    rows = None if beams == 1 else torch.tensor([1, 1, 2, 3, 5, 4])

    fast, clear = (logits(model, source, beams, fast, tokens, rows) for fast in (True, False))

    torch.testing.assert_close(fast, clear)


@pytest.mark.parametrize(
    "settings",
    [{}, {"do_sample": True, "top_k": 9}, {"num_beams": 3}, {"num_beams": 3, "length_penalty": 0.0}],
    ids=["greedy", "sampling", "beams", "short beams"],
)
@pytest.mark.parametrize("kind", KINDS)
def test_it_says_the_same(kind, settings):
    model = small.talker(**KINDS[kind])

    def said(fast):
        return generate(
            model, SOURCE, max_new_tokens=12, fast=fast, generator=torch.Generator().manual_seed(4), **settings
        )

    assert torch.equal(said(True), said(False))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("limits", [{"CACHED": 0, "by_inputs": None}, {"MANY": 1}], ids=["large matrices", "many rows"])
@pytest.mark.parametrize("kind", ["paper", "qwen2"])
def test_large_matrices_and_many_rows_say_the_same(kind, limits, dtype, monkeypatch):
    model, source = decoder_only(**ALONE[kind]).to(dtype), PROMPTS["padded"]
    tokens = torch.cat([source, TARGET], dim=1)
    for name, value in limits.items():  # by_inputs: a large matrix is not copied
        monkeypatch.setattr(fast_blocks, name, value)

    fast, clear = (logits(model, source, 1, fast, tokens) for fast in (True, False))

    torch.testing.assert_close(fast, clear, **({"atol": 0.3, "rtol": 0.1} if dtype == torch.bfloat16 else {}))


def test_weights_that_an_adapter_has_put_in_place_are_the_ones_it_reads():
    model = small.model()
    before = generate(model, SOURCE, max_new_tokens=12)
    tuned = get_peft_model(model, BitFitConfig()).eval()
    with torch.no_grad():
        for parameter in tuned.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter))

    said = generate(tuned.base_model, SOURCE, max_new_tokens=12, fast=True)

    assert torch.equal(said, generate(tuned, SOURCE, max_new_tokens=12))
    assert not torch.equal(said, before)


def test_a_model_that_does_more_than_its_weights_say_is_refused():
    hooked = small.model()
    hooked.decoder.layers[0].register_forward_hook(lambda *_: None)
    adapted = get_peft_model(small.model(), LoraConfig(r=2)).eval()
    parallel = small.model()
    parallel.decoder.layers[1].feed_forward.fc1 = nn.Sequential(nn.Linear(12, 20))
    for model, message in [
        (small.model().train(), r"leaves dropout out: call eval\(\) first"),
        (hooked, r"decoder\.layers\.0 has a hook"),
        (adapted, "the model is a PeftModel: merge adapters first"),
        (adapted.base_model, r"encoder\.layers\.0\.self_attention\.q_proj is a Slot"),
        (parallel, r"decoder\.layers\.1\.feed_forward\.fc1 is a Sequential"),
    ]:
        with pytest.raises(ValueError, match=message):
            generate(model, SOURCE, max_new_tokens=3, fast=True)
    with pytest.raises(ValueError, match=r"leaves dropout out: call eval\(\) first"):
        generate(decoder_only().train(), PROMPTS["whole"], max_new_tokens=3, fast=True)


def test_it_is_decoding_with_a_cache():
    with pytest.raises(ValueError, match="fast and use_cache=False do not mix"):
        generate(small.model(), SOURCE, max_new_tokens=3, fast=True, use_cache=False)


def test_a_row_that_grows_beyond_max_length_says_so():
    model = decoder_only(max_length=8)
    with pytest.raises(ValueError, match="the row has 9 positions; max_length is 8"):
        generate(model, PROMPTS["whole"], max_new_tokens=8, fast=True)


def test_a_row_may_fill_every_position():
    model, prompt = decoder_only(max_length=8), PROMPTS["whole"]
    room = 8 - prompt.shape[1]

    said = generate(model, prompt, max_new_tokens=room + 1, fast=True)

    assert torch.equal(said, generate(model, prompt, max_new_tokens=room + 1))
