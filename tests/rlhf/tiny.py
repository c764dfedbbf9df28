"""A world so small that everything can be counted: responses of at most two tokens out of six."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from peft import FullConfig, LoraConfig, PeftModel, get_peft_model
from rlhf.responses import response_mask, states_and_logits, token_log_probs
from transformer import DecoderOnly, Transformer, TransformerConfig

PAD, BOS, EOS = 0, 1, 2
SIZES = {
    "vocab_size": 6,
    "num_heads": 2,
    "d_ff": 24,
    "max_length": 12,
    "norm": "pre",
    "pad_id": PAD,
    "bos_id": BOS,
    "eos_id": EOS,
}


def encoder_decoder(seed: int = 0, dropout: float = 0.2, d_model: int = 16, **changes: object) -> Transformer:
    torch.manual_seed(seed)
    sizes = {**SIZES, "d_model": d_model, "num_encoder_layers": 1, "num_decoder_layers": 2, "dropout": dropout}
    return Transformer(TransformerConfig(**{**sizes, **changes}))


def decoder_only(seed: int = 0, **changes: object) -> DecoderOnly:
    torch.manual_seed(seed)
    sizes = {**SIZES, "d_model": 16, "num_encoder_layers": 0, "num_decoder_layers": 2, "dropout": 0.2}
    return DecoderOnly(TransformerConfig(**{**sizes, **changes}))


def lora(base: torch.nn.Module, seed: int = 1, moved: bool = False) -> PeftModel:
    """The base with a LoRA adapter, fresh or with weights that change what it says."""
    torch.manual_seed(seed)
    config = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.3, target_modules="all-linear", init_lora_weights=not moved)
    return get_peft_model(base, config)


def full(base: torch.nn.Module) -> PeftModel:
    return get_peft_model(base, FullConfig())


def prompts() -> Tensor:
    """Three prompts of unequal length."""
    return torch.tensor([[3, 4, 5, EOS], [5, 3, EOS, PAD], [4, EOS, PAD, PAD]])


@dataclass(frozen=True)
class Outcomes:
    """All responses of at most two tokens to one prompt: EOS alone, or one of the five others and then any of the six."""

    source: Tensor
    responses: Tensor

    def probabilities(self, model: torch.nn.Module) -> np.ndarray:
        with torch.no_grad():
            _, logits = states_and_logits(model, self.source.expand(len(self.responses), -1), self.responses)
            mask = response_mask(self.responses, EOS)
            log_probs = torch.where(mask, token_log_probs(logits, self.responses), 0.0).sum(dim=1)
        return log_probs.double().exp().numpy()

    def number_of(self, responses: Tensor) -> Tensor:
        """Which outcome each response is."""
        padded = torch.nn.functional.pad(responses, (0, 2 - responses.shape[1]), value=PAD)
        return (padded[:, None] == self.responses[None]).all(dim=2).long().argmax(dim=1)


def outcomes() -> Outcomes:
    two = [[first, second] for first in range(6) if first != EOS for second in range(6)]
    return Outcomes(prompts()[:1], torch.tensor([[EOS, PAD], *two]))


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """Half the summed difference: the largest disagreement about any event."""
    return 0.5 * float(np.abs(p - q).sum())
