"""Prompts and prefixes in Hugging Face PEFT's folders: one matrix, and fields that describe the base.

`encoder_hidden_size` of P-Tuning is always written, and the text that a prompt started from never: a saved prompt needs
none, and HF would ask for its tokenizer.
"""

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from peft.frame.config import PeftConfig
from transformer.config import TransformerConfig

KEY = "prompt_embeddings"
TEXT = ("prompt_tuning_init_text", "tokenizer_name_or_path", "tokenizer_kwargs")


@dataclass(frozen=True, kw_only=True)
class VirtualTokenFiles(PeftConfig):
    """HF's fields that are read off the base and need not be given.

    `token_dim`, `num_layers`, `num_attention_heads`   d_model, layers of the last stack, heads; of a prefix the features of
                                                       a position's keys, and their heads
    `num_transformer_submodules`                       in how many stacks there are virtual tokens
    `task_type`                                        what HF chooses its way of putting the tokens in front by
    """

    token_dim: int | None = None
    num_layers: int | None = None
    num_attention_heads: int | None = None
    num_transformer_submodules: int | None = None
    task_type: str | None = None

    def fitted(self, model: nn.Module) -> "VirtualTokenFiles":
        """With these fields filled in. Raises ValueError for a base that has no config or another d_model."""
        base = getattr(model, "config", None)
        if base is None or not hasattr(base, "d_model"):
            raise ValueError(f"{type(self).__name__} needs a Transformer with its config, not a {type(model).__name__}")
        width, heads = self.width_and_heads(base)
        if self.token_dim not in (None, width):
            raise ValueError(
                f"this adapter is made for token_dim {self.token_dim}; on a base with d_model {base.d_model} it is {width}"
            )
        return replace(
            self,
            token_dim=width,
            num_layers=base.num_decoder_layers or base.num_encoder_layers,
            num_attention_heads=heads,
            num_transformer_submodules=self.submodules(model),
            task_type=task_type(base.num_encoder_layers, base.num_decoder_layers),
        )

    def width_and_heads(self, base: TransformerConfig) -> tuple[int, int]:
        """Of a virtual token: it is as wide as a word."""
        return base.d_model, base.num_heads

    def submodules(self, model: nn.Module) -> int:
        """In how many stacks the virtual tokens are: a prompt stands in the first one's input only."""
        if self.num_transformer_submodules not in (None, 1):
            raise ValueError(
                f"num_transformer_submodules {self.num_transformer_submodules}: HF trains "
                f"{self.num_transformer_submodules} prompts on an encoder-decoder and uses the first; keep its first "
                f"{self.num_virtual_tokens} rows and set num_transformer_submodules to 1"
            )
        return 1

    def key(self, path: str, name: str) -> str:
        """The matrix of a prompt is saved without a path."""
        return KEY if name == KEY else super().key(path, name)


class PromptFiles(VirtualTokenFiles):
    """A PromptTuningConfig's way into a folder and back."""

    def to_hf(self, tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], PeftConfig]:
        """Without the text that the prompt started from."""
        config: Any = self
        if config.prompt_tuning_init == "TEXT":
            config = replace(config, prompt_tuning_init="RANDOM", prompt_tuning_init_token_ids=())
        return tensors, config

    @classmethod
    def fields_from_hf(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Without the text as well: the prompt's rows come from the file."""
        values = {name: value for name, value in values.items() if name not in TEXT}
        return {**values, "prompt_tuning_init": "RANDOM"} if values.get("prompt_tuning_init") == "TEXT" else values


class EncodedPromptFiles(VirtualTokenFiles):
    """A PTuningConfig's way into a folder and back: what is kept of the encoder is its output, a prompt."""

    def fields_to_hf(self) -> dict[str, Any]:
        """The size that the encoder had."""
        return {"encoder_hidden_size": self.encoder_hidden_size or self.token_dim}


def task_type(encoder_layers: int, decoder_layers: int) -> str:
    """HF's name for what a model of these stacks does."""
    if not decoder_layers:
        return "FEATURE_EXTRACTION"
    return "SEQ_2_SEQ_LM" if encoder_layers else "CAUSAL_LM"
