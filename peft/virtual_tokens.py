"""Virtual tokens: what prompts (place 4) and prefixes (place 3) have in common.

Both put p vectors in front of what is really there. Both may be trained through a small network, an encoder, that is run
once more at the end and then dropped.
"""

from dataclasses import dataclass

from torch import nn

from peft.frame.layers import AdaptedLayer
from peft.huggingface.virtual_tokens import VirtualTokenFiles


@dataclass(frozen=True)
class VirtualTokensConfig(VirtualTokenFiles):
    """Names of Hugging Face PEFT's configs. `num_virtual_tokens`: p, how many vectors."""

    num_virtual_tokens: int = 20

    def check(self) -> None:
        """Raises ValueError where there is no virtual token."""
        if self.num_virtual_tokens < 1:
            raise ValueError(f"num_virtual_tokens {self.num_virtual_tokens} must be at least 1")

    def check_room(self, model: nn.Module) -> None:
        """Raises ValueError when the virtual tokens leave no position for a real one."""
        if self.num_virtual_tokens >= model.config.max_length:
            raise ValueError(
                f"{self.num_virtual_tokens} virtual tokens leave no room for a real one: "
                f"the base has max_length {model.config.max_length}"
            )


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
