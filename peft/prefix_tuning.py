"""Prefix tuning: every attention finds p learned keys and values in front of the real ones.

    Attn(Q, [P_K; K], [P_V; V])                           P_K, P_V ∈ R^{p × d}, split into heads like K and V
    [P_K, P_V] of layer l = tanh(E Wᵀ + b) W_lᵀ + b_l     E ∈ R^{p × d},  W ∈ R^{h × d},  W_l ∈ R^{2d × h}

The encoder's self-attention, the decoder's and the cross-attention have an E and a W each. The small network only makes
training easier: when it is over, P_K and P_V are kept and the network is dropped.

A prefix is lookup, not text: it has no positions, is never in the cache, and each call puts p True columns before the
mask. With λ = the share of softmax that falls on the prefix, it is  λ Attn(Q, P_K, P_V) + (1 - λ) Attn(Q, K, V).

Changes   the keys and values of an attention (place 3)        Identity at start   no: even zero keys take their share
Trains    per kind of attention p d + (d h + h) + L (2 d h + 2 d); direct 2 p d per attention        Merges   no
Paper     "Prefix-Tuning: Optimizing Continuous Prompts for Generation" (arXiv 2101.00190)
Note      On an encoder-decoder Hugging Face PEFT puts a prefix before the decoder's self-attention alone, in the wrong layers
          (README.md); this follows the paper's code. On a model of one stack both agree: the words stand at p, p+1, ...
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from peft.frame.casting import in_one_type
from peft.frame.config import Placement, check_size
from peft.frame.paths import site_of
from peft.huggingface.prefix_tuning import PrefixFiles
from peft.virtual_tokens import EncodedLayer, VirtualTokensConfig

ATTENTIONS = ("self_attention.attend", "cross_attention.attend")


@in_one_type
def before(
    prefix: Float[Tensor, "1 heads prompt d_head"], x: Float[Tensor, "batch heads key d_head"]
) -> Float[Tensor, "batch heads prompt_and_key d_head"]:
    """[P; x] for every row of the batch."""
    return torch.cat([prefix.expand(len(x), -1, -1, -1), x], dim=2)


class PrefixTrunk(nn.Module):
    """What the layers of one kind of attention share: tanh(E Wᵀ + b)."""

    def __init__(self, prompt: int, d_model: int, hidden: int):
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(prompt, d_model))
        self.hidden = nn.Linear(d_model, hidden)

    def forward(self) -> Float[Tensor, "prompt hidden"]:
        """tanh(E Wᵀ + b)"""
        return self.hidden(self.embedding).tanh()


class PrefixAttend(EncodedLayer):
    """Around the core of an attention. `prefix` holds [P_K, P_V]; with a trunk it is computed at each call instead.

    Every layer has its own slice of the network's last matrix; the `owner` counts the trunk's parameters as its own.
    """

    def __init__(
        self,
        base: nn.Module,
        prefix: Float[Tensor, "prompt two_d_model"],
        trunk: PrefixTrunk | None = None,
        owner: bool = False,
    ):
        super().__init__(base)
        self.trunk = trunk
        self.owner = owner
        self.prefix: nn.Parameter | None = nn.Parameter(prefix) if trunk is None else None
        self.last = None if trunk is None else nn.Linear(trunk.hidden.out_features, prefix.shape[1])

    def rows(self) -> Float[Tensor, "prompt two_d_model"]:
        """[P_K, P_V]: the parameter itself, or what the layer's last matrix makes of the trunk's output."""
        return self.prefix if self.last is None else self.last(self.trunk())

    def forward(
        self,
        query: Float[Tensor, "batch heads query d_head"],
        key: Float[Tensor, "batch kv_heads key d_head"],
        value: Float[Tensor, "batch kv_heads key d_head"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch heads query d_head"]:
        """The base's attention on [P_K; K] and [P_V; V]; all see the prefix. A mask whose last axis is 1 is for all keys."""
        prefix_key, prefix_value = rearrange(
            self.rows(), "prompt (two heads d_head) -> two 1 heads prompt d_head", two=2, heads=key.shape[1]
        )
        if mask is not None:
            every_key = mask.expand(*mask.shape[:-1], key.shape[2])
            mask = F.pad(every_key, (prefix_key.shape[2], 0), value=True)
        return self.base(query, before(prefix_key, key), before(prefix_value, value), mask)

    def own_parameters(self) -> dict[str, nn.Parameter]:
        """The trunk's parameters are the owner's alone."""
        own = super().own_parameters()
        return {name: p for name, p in own.items() if self.owner or not name.startswith("trunk.")}

    @torch.no_grad()
    def saved(self) -> dict[str, Tensor]:
        """The keys and values under the name prefix, without a gradient, and nothing of the network."""
        return {"prefix": self.rows().detach()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """What was saved are the keys and values, so there is no network afterwards."""
        self.drop_encoder()
        super().load(tensors)

    def drop_encoder(self) -> None:
        """Keeps the keys and values as a parameter, trained if the network was; without a network it does nothing."""
        if self.last is not None:
            self.prefix = nn.Parameter(self.saved()["prefix"], self.last.weight.requires_grad)
            self.trunk = self.last = None


@dataclass(frozen=True)
class PrefixTuningConfig(PrefixFiles, VirtualTokensConfig):
    """HF's names.

    `num_virtual_tokens`    p, how many keys and values each attention gets
    `encoder_hidden_size`   h; d_model unless it is given
    `prefix_projection`     whether there is a network: True, as in the paper; else it is P-Tuning v2
    """

    encoder_hidden_size: int | None = None
    prefix_projection: bool = True
    peft_type: ClassVar[str] = "PREFIX_TUNING"

    def check(self) -> None:
        """Raises ValueError for an impossible size of the network."""
        super().check()
        check_size("encoder_hidden_size", self.encoder_hidden_size)

    def place(self, model: nn.Module) -> Placement:
        """A prefix in every attention within `sites`, with one trunk for each kind of attention."""
        prompt, d_model = self.num_virtual_tokens, model.config.d_model
        features = 2 * model.config.kv_heads * model.config.d_head  # of the keys and the values of a position
        layers: dict[str, EncodedLayer] = {}
        trunks: dict[str | None, PrefixTrunk] = {}
        for path, base in self.named(model, ATTENTIONS).items():
            site = site_of(path)
            first = site not in trunks
            if first and self.prefix_projection:
                trunks[site] = PrefixTrunk(prompt, d_model, self.encoder_hidden_size or d_model)
            layers[path] = PrefixAttend(base, torch.randn(prompt, features), trunks.get(site), owner=first)
        return Placement(layers | self.shifted(model))
