"""Virtual tokens: what prompts (place 4) and prefixes (place 3) have in common.

Both put p vectors in front of what is really there, and keep them, as the published library does, in one matrix called
`prompt_embeddings`. Both may be trained through a small network that is run once more at the end and then dropped.
"""

from dataclasses import dataclass, field, replace

from torch import nn

from peft.frame.config import PeftConfig
from peft.frame.layers import AdaptedLayer

KEY = "prompt_embeddings"


@dataclass(frozen=True)
class VirtualTokensConfig(PeftConfig):
    """The published names. All but `num_virtual_tokens` are read off the base and need not be given.

    `task_type` is what the published library chooses its way of putting the tokens in front by.
    """

    num_virtual_tokens: int = 20
    token_dim: int | None = field(default=None, kw_only=True)
    num_layers: int | None = field(default=None, kw_only=True)
    num_attention_heads: int | None = field(default=None, kw_only=True)
    num_transformer_submodules: int | None = field(default=None, kw_only=True)
    task_type: str | None = field(default=None, kw_only=True)

    def check(self) -> None:
        if self.num_virtual_tokens < 1:
            raise ValueError(f"num_virtual_tokens {self.num_virtual_tokens} must be at least 1")

    def fitted(self, model: nn.Module) -> "VirtualTokensConfig":
        base = getattr(model, "config", None)
        if base is None or not hasattr(base, "d_model"):
            raise ValueError(f"{type(self).__name__} needs a Transformer with its config, not a {type(model).__name__}")
        if self.token_dim not in (None, base.d_model):
            raise ValueError(
                f"this adapter is made for token_dim {self.token_dim}; the base has d_model {base.d_model}"
            )
        return replace(
            self,
            token_dim=base.d_model,
            num_layers=base.num_decoder_layers or base.num_encoder_layers,
            num_attention_heads=base.num_heads,
            num_transformer_submodules=self.submodules(model),
            task_type=task_type(base.num_encoder_layers, base.num_decoder_layers),
        )

    def submodules(self, model: nn.Module) -> int:
        """In how many stacks the virtual tokens are: only the first one's input has any."""
        if self.num_transformer_submodules not in (None, 1):
            raise ValueError(
                f"num_transformer_submodules {self.num_transformer_submodules}: the published library trains "
                f"{self.num_transformer_submodules} prompts on an encoder-decoder and uses the first; keep its first "
                f"{self.num_virtual_tokens} rows and set num_transformer_submodules to 1"
            )
        return 1

    def check_room(self, model: nn.Module) -> None:
        """Raises ValueError when the virtual tokens leave no position for a real one."""
        if self.num_virtual_tokens >= model.config.max_length:
            raise ValueError(
                f"{self.num_virtual_tokens} virtual tokens leave no room for a real one: "
                f"the base has max_length {model.config.max_length}"
            )

    def key(self, path: str, name: str) -> str:
        return KEY if name == KEY else super().key(path, name)


def task_type(encoder_layers: int, decoder_layers: int) -> str:
    """The published name for what a model of these stacks does."""
    if not decoder_layers:
        return "FEATURE_EXTRACTION"
    return "SEQ_2_SEQ_LM" if encoder_layers else "CAUSAL_LM"


class EncodedLayer(AdaptedLayer):
    """A technique whose vectors are the output of an encoder, which may be dropped once it is trained."""

    merges = False

    def drop_encoder(self) -> None:
        """Runs the encoder once more and keeps only its output, as a trainable parameter."""
        raise NotImplementedError


def drop_encoders(model: nn.Module) -> None:
    """After training: every encoder on the model gives way to its output. Nothing that is computed changes.

    The parameters are new ones: an optimizer that is to go on needs to be made anew.
    """
    for module in list(model.modules()):
        if isinstance(module, EncodedLayer):
            module.drop_encoder()
