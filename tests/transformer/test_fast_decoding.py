"""The fast step of decoding: the clear decoder's numbers, for every kind of model, and nothing but plain models."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from peft import BitFitConfig, LoraConfig, get_peft_model
from quant import DirectQ4, Linear4bit, LinearQ4
from tests.transformer import small
from tests.transformer.small import SOURCE, TARGET
from transformer import DecoderOnly, Transformer, TransformerConfig, generate, products
from transformer.decoding import fast_blocks, fast_memory, fast_products
from transformer.feed_forward import FeedForward

KINDS = {
    "paper": {},
    "pre": {"norm": "pre", "positions": "learned", "attention": "fused", "layer_norm_eps": 0.3},
    "bart": {"norm_embeddings": True, "positions": "learned", "activation": "gelu", "output_bias": True},
    "marian": {"scale_embeddings": False, "activation": "silu"},
    "shared heads, normed": {"num_heads": 6, "num_kv_heads": 2, "head_size": 4, "norm_heads": True, "norm_kind": "rms"},
    "shared heads": {"num_heads": 6, "num_kv_heads": 2, "head_size": 4},
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
ABOUT = {torch.bfloat16: {"atol": 0.3, "rtol": 0.1}}
PROMPTS = {
    "one row": torch.tensor([[3, 4, 7, 5]]),
    "one row, padded": torch.tensor([[0, 4, 7, 5]]),
    "padded": torch.tensor([[0, 0, 7, 5], [0, 4, 9, 6], [3, 5, 6, 11]]),
    "whole": torch.tensor([[8, 4, 7, 5], [1, 4, 9, 6], [3, 5, 6, 11]]),
}


def pack_q4(linear: nn.Linear) -> LinearQ4:
    return LinearQ4.from_linear(linear)


def pack_direct(linear: nn.Linear) -> DirectQ4:
    packed = pack_q4(linear)
    return DirectQ4.from_blocks(packed.codes, packed.scales, packed.minimums, linear.bias)


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
    continued = TARGET[: len(source)].repeat(beams, 1)
    tokens = torch.cat([source.repeat_interleave(beams, dim=0), continued], dim=1)
    rows = None if beams == 1 else torch.tensor([1, 1, 2, 3, 5, 4])[: len(tokens)]

    fast, clear = (logits(model, source, beams, fast, tokens, rows) for fast in (True, False))

    torch.testing.assert_close(fast, clear)


def test_a_decoder_without_layers_is_decoded_too():
    model = decoder_only(num_decoder_layers=0)

    fast, clear = (generate(model, PROMPTS["padded"], 4, fast=fast) for fast in (True, False))

    assert torch.equal(fast, clear)


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
@pytest.mark.parametrize("intel", [True, False])
def test_large_matrices_and_many_rows_say_the_same(intel, kind, limits, dtype, monkeypatch):
    model, source = decoder_only(**ALONE[kind]).to(dtype), PROMPTS["padded"]
    tokens = torch.cat([source, TARGET], dim=1)
    monkeypatch.setattr(products, "mkl_takes_the_whole_width", lambda: intel)
    for name, value in limits.items():  # by_inputs: a large matrix is not copied
        monkeypatch.setattr(fast_products, name, value)

    fast, clear = (logits(model, source, 1, fast, tokens) for fast in (True, False))

    torch.testing.assert_close(fast, clear, **ABOUT.get(dtype, {}))


@pytest.mark.parametrize("rows", [1, 2, fast_products.MANY])
@pytest.mark.parametrize("intel", [True, False])
@pytest.mark.parametrize("d_in", [12, 2**15, 2**15 + 1])
def test_a_product_takes_its_weights_in_the_fastest_way(rows, intel, d_in, monkeypatch):
    monkeypatch.setattr(products, "mkl_takes_the_whole_width", lambda: intel)
    copied, asked = spied(monkeypatch, "by_inputs"), spied(monkeypatch, "by_onednn")
    large = d_in > 2**15  # 2¹⁸ numbers

    weight, bias, x = torch.randn(8, d_in), torch.randn(8), torch.randn(*fast_products.leading(rows), d_in) / d_in**0.5
    torch.testing.assert_close(
        fast_products.product(weight, bias, rows)(x), F.linear(x, weight, bias), rtol=0, atol=1e-4
    )

    onednn = not intel and (large or rows == fast_products.MANY) and torch.backends.mkldnn.is_available()
    assert len(asked) == onednn
    assert len(copied) == (not onednn and not large and rows > 1)


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("bias", [torch.ones(5), None])
def test_a_single_row_is_a_vector(bias, rows):
    weight, x = torch.randn(5, 3), torch.randn(*fast_products.leading(rows), 3)

    assert x.dim() == rows
    torch.testing.assert_close(fast_products.product(weight, bias, rows)(x), F.linear(x, weight, bias))


def test_the_copy_has_the_weights_of_an_input_side_by_side():
    weight = torch.randn(5, 3)

    assert torch.equal(by_inputs := fast_products.by_inputs(weight), weight.T)
    assert by_inputs.is_contiguous()


def test_packed_and_plain_matrices_may_stand_side_by_side():
    layers = [nn.Linear(32, 32) for _ in range(3)]
    layers[1] = pack_q4(layers[1])
    x = torch.randn(2, 32)

    with torch.no_grad():
        expected = torch.cat([layer(x) for layer in layers], dim=-1)
        torch.testing.assert_close(fast_products.side_by_side(layers, 2)(x), expected)


def spied(monkeypatch, name):
    """The calls of a function of fast_products.py."""
    calls, function = [], getattr(fast_products, name)
    monkeypatch.setattr(fast_products, name, lambda *args: calls.append(args) or function(*args))
    return calls


@pytest.mark.parametrize("kind", ["paper", "qwen2"])
def test_many_rows_ask_by_the_formula_where_nothing_is_masked(kind, monkeypatch):
    model, asked = decoder_only(**ALONE[kind]), []
    formula = fast_blocks.scaled_dot_product_attention
    monkeypatch.setattr(fast_blocks, "MANY_ROWS", 3)
    monkeypatch.setattr(fast_blocks, "BATCHED", 4 * 6)
    monkeypatch.setattr(
        fast_blocks, "scaled_dot_product_attention", lambda *args: asked.append(args[1].shape) or formula(*args)
    )
    for prompt in ("padded", "whole"):
        source = PROMPTS[prompt]
        tokens = torch.cat([source, TARGET], dim=1)
        fast, clear = (logits(model, source, 1, fast, tokens) for fast in (True, False))

        torch.testing.assert_close(fast, clear)
        if prompt == "padded":
            assert asked == []
    assert {shape[2] for shape in asked} == set(range(6, tokens.shape[1] + 1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("source", [[5, 4, 9, 0, 0], [5, 4, 9, 3], [5, 4, 9, 3, 7], [0, 0]], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_single_short_source_is_absorbed_into_the_weights(kind, source, beams, dtype, monkeypatch):
    model, source, absorbed = small.model(**KINDS[kind]).to(dtype), torch.tensor([source]), []
    block = fast_memory.absorbed_block
    monkeypatch.setattr(fast_memory, "absorbed_block", lambda *args: absorbed.append(args) or block(*args))
    tokens = TARGET[:1].repeat(beams, 1)

    fast, clear = (logits(model, source, beams, fast, tokens) for fast in (True, False))

    torch.testing.assert_close(fast, clear, **ABOUT.get(dtype, {}))
    words = int((source != 0).sum())
    attention = model.decoder.layers[0].cross_attention
    fits = 0 < words <= attention.d_head and not model.config.norm_heads
    assert len(absorbed) == fits * len(model.decoder.layers)
    assert all(memory.shape[1] == words for _, memory, _ in absorbed)


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("pack", [pack_q4, pack_direct, Linear4bit.from_linear])
@pytest.mark.parametrize("encoder", [0, 1])
def test_packed_weights_are_read_in_their_own_way(encoder, pack, rows):
    torch.manual_seed(0)
    model = (Transformer if encoder else DecoderOnly)(TransformerConfig(40, 32, 2, encoder, 2, 64, 0.0, 24)).eval()
    for _, module in list(model.decoder.named_modules()):
        for name, child in module.named_children():
            if type(child) is nn.Linear:
                setattr(module, name, pack(child))
    source, tokens = torch.tensor([[5, 4, 9], [3, 7, 8]])[:rows], torch.randint(3, 40, (rows, 6))
    tokens = tokens if encoder else torch.cat([source, tokens], dim=1)

    fast, clear = (logits(model, source, 1, fast, tokens) for fast in (True, False))

    torch.testing.assert_close(fast, clear, **(ABOUT[torch.bfloat16] if pack is pack_direct else {}))
    assert torch.equal(*(generate(model, source, 6, fast=fast) for fast in (True, False)))


@pytest.mark.parametrize("rows", [1, 3])
def test_the_gelu_of_a_single_row_is_not_onednns(rows, monkeypatch):
    asked, gelu = [], fast_blocks.gelu_of_few
    monkeypatch.setattr(fast_blocks, "gelu_of_few", lambda x: asked.append(x) or gelu(x))
    block = fast_blocks.feed_forward_block(FeedForward(8, 20, "gelu").double(), rows)

    block(torch.randn(*fast_products.leading(rows), 8, dtype=torch.float64))

    assert len(asked) == (rows == 1)
    torchs, read = F.gelu, []
    monkeypatch.setattr(F, "gelu", lambda x: read.append(x.is_contiguous()) or torchs(x))
    assert [gelu(torch.empty(3, device=device)).shape for device in ("cpu", "meta")] == [(3,), (3,)]
    assert read == [False, True]  # oneDNN takes what lies one after the other
    x = torch.linspace(-6, 6, 99, dtype=torch.float64)
    torch.testing.assert_close(gelu(x), F.gelu(x))


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
