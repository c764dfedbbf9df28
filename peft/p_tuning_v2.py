"""P-Tuning v2: prefixes in every layer, each trained directly, and if wanted a new head.

    Attn(Q, [P_K; K], [P_V; V])        P_K, P_V ∈ R^{p × d}, free parameters of each attention

This is prefix tuning without its network, made for tasks that are not generation: the paper puts a trained head in the
place of the vocabulary's (`modules_to_save=("output",)`; on tied matrices that is the embedding too). "Deep prompts" are
something else: those are rows of hidden state that pass through a layer's norm and projections. These are its keys.

Changes   the keys and values of an attention (place 3)        Identity at start   no
Trains    2 p d per attention, and the head                    Merges              no
Paper     "P-Tuning v2" (arXiv 2110.07602)
Note      Starts with N(0, 1), as the authors' code does. Saved as what it is in Hugging Face PEFT: prefix
          tuning without a projection.
"""

from dataclasses import dataclass
from typing import ClassVar

from peft.prefix_tuning import PrefixTuningConfig


@dataclass(frozen=True)
class PTuningV2Config(PrefixTuningConfig):
    """Prefix tuning's config without its network.

    `num_virtual_tokens`    p, how many keys and values each attention gets
    `prefix_projection`     False: there is no network behind them, and no `encoder_hidden_size`
    """

    prefix_projection: bool = False
    peft_type: ClassVar[str] = "P_TUNING_V2"

    def check(self) -> None:
        """Raises ValueError for settings of a network."""
        super().check()
        if self.prefix_projection or self.encoder_hidden_size is not None:
            raise ValueError(
                f"prefix_projection {self.prefix_projection} and encoder_hidden_size {self.encoder_hidden_size}: "
                "P-Tuning v2 has no network behind its prefixes; PrefixTuningConfig has one"
            )
