"""Every technique on a small Llama: switched off it is the base to the last bit, and what has no place there says so."""

import pytest
import torch

from peft import RECIPES, LNTuningConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from peft.prefix_tuning import PrefixAttend
from tests.peft.small import step_by_step
from transformer import DecoderOnly, TransformerConfig
from transformer.add_norm import RMSNorm
from transformer.learning.formats import read_json

LLAMA = TransformerConfig(
    vocab_size=31,
    d_model=24,
    num_heads=6,
    num_encoder_layers=0,
    num_decoder_layers=2,
    d_ff=40,
    dropout=0.0,
    max_length=48,
    activation="silu",
    norm="pre",
    positions="rotary",
    scale_embeddings=False,
    norm_kind="rms",
    num_kv_heads=2,
    head_size=8,
    bias=False,
    gated=True,
)
REFUSED = {"bitfit": "this base has no bias to train", "pill": "PILL needs a base with an encoder"}
TEXT = torch.tensor([[5, 8, 11, 29, 2, 7], [0, 0, 7, 12, 9, 3]])


def base(method="full"):
    torch.manual_seed(0)
    model = DecoderOnly(LLAMA)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model = RECIPES[method].prepare(model)
    for module in model.modules():
        if hasattr(module, "compute_dtype"):
            module.compute_dtype = torch.float32
    return model.eval()


def tuned(method):
    """After three steps of AdamW on a random objective."""
    torch.manual_seed(1)
    model = get_peft_model(base(method), RECIPES[method].config())
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02)
    wanted = torch.randn(*TEXT.shape, LLAMA.vocab_size)
    model.train()
    for _ in range(3):
        optimizer.zero_grad()
        (model(TEXT) * wanted).mean().backward()
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("method", [method for method in RECIPES if method not in REFUSED])
def test_switched_off_it_is_the_base_to_the_last_bit(method):
    model = tuned(method)
    expected, changed = base(method)(TEXT), model(TEXT)

    with model.disable_adapter():
        assert torch.equal(model(TEXT), expected)

    assert (changed - expected).abs().max() > 1e-4, "three steps changed nothing"
    torch.testing.assert_close(step_by_step(model, TEXT[:, :3], TEXT), model(TEXT)[:, 2:], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("method", REFUSED)
def test_a_technique_without_a_place_there_says_so(method):
    with pytest.raises(ValueError, match=REFUSED[method]):
        get_peft_model(base(), RECIPES[method].config())


def test_at_least_twenty_techniques_have_a_place_there():
    assert len(RECIPES) - len(REFUSED) >= 20


def test_ln_tuning_takes_the_gains_of_rms_norms():
    model = get_peft_model(base(), LNTuningConfig())

    own = model.adapters["default"].own_parameters()
    norms = [module for module in base().modules() if isinstance(module, RMSNorm)]
    assert len(own) == len(norms) == 2 * 2 + 1
    assert all(parameter.shape == (24,) for parameter in own.values())


def test_a_prefix_s_keys_are_not_turned():
    plain = base()
    seen = {}

    def record(name):
        return lambda module, inputs, output: seen.__setitem__(name, inputs[1])

    plain.decoder.layers[0].self_attention.attend.register_forward_hook(record("without"))
    plain(TEXT)
    model = get_peft_model(base(), PrefixTuningConfig(num_virtual_tokens=3))
    around = next(module for module in model.modules() if isinstance(module, PrefixAttend))
    around.base.register_forward_hook(record("with"))
    model(TEXT)

    keys = around.rows()[:, : 2 * 8].unflatten(1, (2, 8)).transpose(0, 1)
    assert torch.equal(seen["with"][:, :, :3], keys.expand(2, -1, -1, -1))
    shifted = seen["with"][:, :, 3:]
    assert shifted.shape == seen["without"].shape
    assert not torch.equal(shifted, seen["without"]), "the words stand behind the prefix, at 3, 4, ..."
    torch.testing.assert_close(shifted.norm(dim=-1), seen["without"].norm(dim=-1))


def test_a_saved_prefix_describes_the_keys_that_the_heads_share(tmp_path):
    get_peft_model(base(), PrefixTuningConfig(num_virtual_tokens=3)).save_pretrained(tmp_path / "prefix")
    get_peft_model(base(), PromptTuningConfig(num_virtual_tokens=3)).save_pretrained(tmp_path / "prompt")

    prefix, prompt = (read_json(tmp_path / name / "adapter_config.json") for name in ("prefix", "prompt"))
    assert (prefix["token_dim"], prefix["num_attention_heads"]) == (2 * 8, 2)
    assert (prompt["token_dim"], prompt["num_attention_heads"]) == (24, 6)
    with pytest.raises(ValueError, match="made for token_dim 24; on a base with d_model 24 it is 16"):
        get_peft_model(base(), PrefixTuningConfig(num_virtual_tokens=3, token_dim=24))
