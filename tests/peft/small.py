"""A small base for tests of techniques: sizes that differ, norms and biases that are not at their start values."""

import pytest
import torch
from torch import Tensor

from peft import RECIPES, PeftModel, get_peft_model
from transformer import Transformer, TransformerConfig

CONFIG = TransformerConfig(
    vocab_size=31,
    d_model=24,
    num_heads=3,
    num_encoder_layers=1,
    num_decoder_layers=2,
    d_ff=40,
    dropout=0.1,
    max_length=48,
    norm="pre",
)
UNSEEN = (29, 30)
FEW = ("lora", "dora", "bitfit", "adapter_houlsby", "prefix_tuning", "p_tuning_v2", "ssf", "pill")
METHODS = [method if method in FEW else pytest.param(method, marks=pytest.mark.slow) for method in RECIPES]
"""Every technique, the others only where slow tests run: for what is asked of each of them many times."""


def small_base(seed: int = 0, **changes: object) -> Transformer:
    torch.manual_seed(seed)
    model = Transformer(TransformerConfig(**{**CONFIG.to_dict(), **changes}))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def technique(method: str, base: Transformer | None = None, seed: int = 1, **changes: object) -> PeftModel:
    """A fresh adapter on the small base, with trained rows for two tokens."""
    model = prepared(method, base)
    torch.manual_seed(seed)
    return get_peft_model(model, config_of(method, **changes))


def prepared(method: str, base: Transformer | None = None) -> Transformer:
    """The base as the recipe wants it; 4-bit layers compute in fp32, so that sums can be compared exactly."""
    model = RECIPES[method].prepare(base or small_base())
    for module in model.modules():
        if hasattr(module, "compute_dtype"):
            module.compute_dtype = torch.float32
    return model.eval()


def config_of(method: str, **changes: object) -> object:
    if method == "pill":
        changes = {"token_types": [token % 2 for token in range(CONFIG.vocab_size)], **changes}
    return RECIPES[method].config(**{"trainable_token_indices": UNSEEN, **changes})


def batch() -> tuple[Tensor, Tensor]:
    """Two sources of unequal length and their targets."""
    source = torch.tensor([[5, 8, 11, 29, 2], [7, 12, 2, 0, 0]])
    target = torch.tensor([[1, 20, 29, 22, 3, 9], [1, 24, 25, 30, 6, 4]])
    return source, target


def take_steps(model: PeftModel, count: int = 3, learning_rate: float = 0.02) -> None:
    """A few steps of AdamW on a random objective, so that nothing that can move stays where it was."""
    source, target = batch()
    wanted = torch.randn(*target.shape, CONFIG.vocab_size, generator=torch.Generator().manual_seed(3))
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.0)
    model.train()
    for _ in range(count):
        optimizer.zero_grad()
        logits = model(source, target)
        (logits.float() * wanted).mean().backward()
        optimizer.step()
    model.eval()


def step_by_step(model: PeftModel, source: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """The logits of decoding with a cache, which is given these tokens one after the other."""
    with torch.inference_mode():
        start, next_logits = model.decoding(source, 1, tokens.shape[1])
        lengths = range(start.shape[1], tokens.shape[1] + 1)
        return torch.stack([next_logits(tokens[:, :length], None) for length in lengths], dim=1)
