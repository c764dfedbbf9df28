"""P-Tuning v2: prefixes in every layer, each trained directly, and if wanted a new head.

    Attn(Q, [P_K; K], [P_V; V])        P_K, P_V ∈ R^{p × d}, free parameters of each attention

This is prefix tuning without its network, made for tasks that are not generation: the paper puts a trained head in the
place of the vocabulary's (`modules_to_save=("output",)`; on tied matrices that is the embedding too). "Deep prompts" are
something else: those are rows of hidden state that pass through a layer's norm and projections. These are its keys.

Changes   the keys and values of an attention (place 3)        Identity at start   no
Trains    2 p d per attention, and the head                    Merges              no
Paper     "P-Tuning v2" (arXiv 2110.07602)
Note      Starts with N(0, 1), as the authors' code does, unless `init_weights` says otherwise. Saved as what it is in
          Hugging Face PEFT: prefix tuning without a projection.

A start for a model that is not to be disturbed. N(0, 1) knows nothing of the base: in SmolLM2's first layer the values have a
deviation of 0.04, and twenty rows of deviation 1 drown them in every layer. Zero is quiet, and still takes its share of each
softmax. The keys and values of p tokens that are read alone are what the base would find if they stood in front:

    Attn(Q, [K_t; K], [V_t; V])   with the words behind t   =   the base's own attention on the text [t; x]

That is how "Prefix-Tuning" (arXiv 2101.00190, section 7.4) begins with "the activations of real words".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from peft.frame.casting import device_of
from peft.frame.config import Placement
from peft.prefix_tuning import PrefixAttend, PrefixTuningConfig

STARTS = ("zero", "words")


@torch.no_grad()
def keys_and_values(
    model: nn.Module, attends: Iterable[nn.Module], tokens: Int[Tensor, " prompt"]
) -> list[Float[Tensor, "prompt two_features"]]:
    """[K, V] of these tokens in each attention, from one pass; an encoder-decoder reads them on both sides."""
    seen: dict[nn.Module, Tensor] = {}

    def note(attend: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        both = torch.stack([part[0, :, -len(tokens) :] for part in inputs[1:3]])
        seen[attend] = rearrange(both, "two heads prompt d_head -> prompt (two heads d_head)")

    attends = list(attends)
    hooks = [attend.register_forward_pre_hook(note) for attend in attends]
    training, config = model.training, model.config
    try:
        sides = 2 if config.num_encoder_layers and config.num_decoder_layers else 1
        model.eval()(*[tokens[None]] * sides)
    finally:
        for hook in hooks:
            hook.remove()
        model.train(training)
    return [seen[attend] for attend in attends]


@dataclass(frozen=True)
class PTuningV2Config(PrefixTuningConfig):
    """Prefix tuning's config without its network.

    `num_virtual_tokens`    p, how many keys and values each attention gets
    `prefix_projection`     False: there is no network behind them, and no `encoder_hidden_size`
    `init_weights`          None: N(0, 1); "zero"; "words": the keys and values of random tokens, which HF does not have
    """

    prefix_projection: bool = False
    init_weights: str | None = None
    peft_type: ClassVar[str] = "P_TUNING_V2"
    ours: ClassVar[tuple[str, ...]] = (*PrefixTuningConfig.ours, "init_weights")

    def check(self) -> None:
        """Raises ValueError for settings of a network, and for an unknown start."""
        super().check()
        if self.init_weights not in (None, *STARTS):
            raise ValueError(f"init_weights is None or one of {', '.join(STARTS)}, not {self.init_weights!r}")
        if self.prefix_projection or self.encoder_hidden_size is not None:
            raise ValueError(
                f"prefix_projection {self.prefix_projection} and encoder_hidden_size {self.encoder_hidden_size}: "
                "P-Tuning v2 has no network behind its prefixes; PrefixTuningConfig has one"
            )

    def place(self, model: nn.Module) -> Placement:
        """A prefix in every attention within `sites`, with the start that is asked for."""
        placement = super().place(model)
        layers = [layer for layer in placement.layers.values() if isinstance(layer, PrefixAttend)]
        if self.init_weights == "zero":
            for layer in layers:
                nn.init.zeros_(layer.prefix)
        if self.init_weights == "words":
            starts = keys_and_values(model, [layer.base for layer in layers], self.random_words(model))
            for layer, start in zip(layers, starts, strict=True):
                layer.prefix.data.copy_(start)
        return placement

    def random_words(self, model: nn.Module) -> Int[Tensor, " prompt"]:
        """Tokens of the vocabulary at random, none of them padding, which nobody would see."""
        drawn = torch.randint(model.config.vocab_size - 1, (self.num_virtual_tokens,))
        return (drawn + (drawn >= model.config.pad_id)).to(device_of(model))
