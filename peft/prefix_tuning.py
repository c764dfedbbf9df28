"""Prefix tuning: every attention finds p learned keys and values in front of the real ones.

    Attn(Q, [P_K; K], [P_V; V])                           P_K, P_V ∈ R^{p × d}, split into heads like K and V
    [P_K, P_V] of layer l = tanh(E Wᵀ + b) W_lᵀ + b_l     E ∈ R^{p × d},  W ∈ R^{h × d},  W_l ∈ R^{2d × h}

The encoder's self-attention, the decoder's and the cross-attention have an E and a W each. The small network only makes
training easier: when it is over, P_K and P_V are kept and the network is dropped.

A prefix is lookup, not text: it has no positions, is never in the cache, and each call puts p True columns before the
mask. With λ = the share of softmax that falls on the prefix, it is  λ Attn(Q, P_K, P_V) + (1 - λ) Attn(Q, K, V).

Changes   the keys and values of an attention (place 3)        Identity at start   no: even zero keys take their share
Trains    per kind of attention p d + (d h + h) + L (2 d h + 2 d); direct 2 p d per attention        Merges   no
Paper     "Prefix-Tuning: Optimizing Continuous Prompts for Generation" (2101.00190)
Note      On an encoder-decoder the published library gives the decoder's self-attention a prefix and nothing else, and
          hands its slots to the wrong layers: with an even number of layers half of them are never used. This follows
          the paper's code: three prefixes. On a model that is one stack both agree, and the words stand at p, p+1, ...
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from peft.frame.config import PeftConfig, base_modules, site_of
from peft.frame.layers import AdaptedLayer, Placement, adapter_dtype
from peft.frame.registry import register
from peft.frame.weights import device_of
from peft.published_prefix import ShiftedPositions, packed, unpacked
from peft.virtual_tokens import EncodedLayer, VirtualTokensConfig

ATTENTIONS = ("self_attention.attend", "cross_attention.attend")


class PrefixTrunk(nn.Module):
    """What the layers of one kind of attention share: tanh(E Wᵀ + b)."""

    def __init__(self, prompt: int, d_model: int, hidden: int):
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(prompt, d_model))
        self.hidden = nn.Linear(d_model, hidden)

    def forward(self) -> Float[Tensor, "prompt hidden"]:
        return self.hidden(self.embedding).tanh()


class PrefixAttend(EncodedLayer):
    """Around the core of an attention. `prefix` holds [P_K, P_V]; with a trunk it is computed at each call instead.

    Every layer has its own slice of the network's last matrix, so nothing is computed for another layer, and nothing
    is kept from one call to the next. The one that is `owner` counts the trunk's parameters as its own.
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
        self.last = None if trunk is None else nn.Linear(trunk.hidden.out_features, prefix.shape[1]).to(prefix)

    def rows(self) -> Float[Tensor, "prompt two_d_model"]:
        return self.prefix if self.last is None else self.last(self.trunk())

    def forward(
        self,
        query: Float[Tensor, "batch heads query d_head"],
        key: Float[Tensor, "batch heads key d_head"],
        value: Float[Tensor, "batch heads key d_head"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch heads query d_head"]:
        prefix = rearrange(
            self.rows(), "prompt (two heads d_head) -> two 1 heads prompt d_head", two=2, heads=key.shape[1]
        )
        prefix_key, prefix_value = prefix.to(key.dtype).expand(-1, len(key), -1, -1, -1)
        if mask is not None:
            every_key = mask.expand(*mask.shape[:-1], key.shape[2])
            mask = F.pad(every_key, (prefix.shape[3], 0), value=True)
        return self.base(query, torch.cat([prefix_key, key], dim=2), torch.cat([prefix_value, value], dim=2), mask)

    def own_parameters(self) -> dict[str, nn.Parameter]:
        own = super().own_parameters()
        return {name: p for name, p in own.items() if self.owner or not name.startswith("trunk.")}

    @torch.no_grad()
    def saved(self) -> dict[str, Tensor]:
        return {"prefix": self.rows().detach()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """What was saved are the keys and values, so there is no network afterwards."""
        self.drop_encoder()
        super().load(tensors)

    def drop_encoder(self) -> None:
        if self.last is not None:
            self.prefix = nn.Parameter(self.saved()["prefix"], self.last.weight.requires_grad)
            self.trunk = self.last = None


@register
@dataclass(frozen=True)
class PrefixTuningConfig(VirtualTokensConfig):
    """The published names. `prefix_projection` is True here, as in the paper: without it this is P-Tuning v2.

    `encoder_hidden_size`   h; d_model unless it is given
    `shift_positions`       whether words stand behind the prefix; by default on models of one stack, as the published
                            library has it, and not on encoder-decoders, as the paper's code has it
    """

    encoder_hidden_size: int | None = None
    prefix_projection: bool = True
    shift_positions: bool | None = None
    peft_type: ClassVar[str] = "PREFIX_TUNING"
    ours: ClassVar[tuple[str, ...]] = ("sites", "shift_positions")

    def check(self) -> None:
        super().check()
        if self.encoder_hidden_size is not None and self.encoder_hidden_size < 1:
            raise ValueError(f"encoder_hidden_size {self.encoder_hidden_size} must be at least 1")

    def submodules(self, model: nn.Module) -> int:
        """In how many stacks prefixes are: the encoder and the decoder, where there are both."""
        return 2 if model.config.num_encoder_layers and model.config.num_decoder_layers else 1

    def place(self, model: nn.Module) -> Placement:
        wrappers: dict[str, AdaptedLayer] = {}
        trunks: dict[str | None, PrefixTrunk] = {}
        for path, base in self.named(model, ATTENTIONS).items():
            site = site_of(path)
            first = site not in trunks
            if first and self.prefix_projection:
                trunks[site] = self.new_trunk(model)
            wrappers[path] = PrefixAttend(base, self.new_prefix(model), trunks.get(site), owner=first)
        if self.shifts():
            self.check_room(model)
            wrappers |= {
                path: ShiftedPositions(module, self.num_virtual_tokens)
                for path, module in base_modules(model)
                if path in ("source_positions", "target_positions")
            }
        return Placement(wrappers)

    def shifts(self) -> bool:
        return self.num_transformer_submodules == 1 if self.shift_positions is None else self.shift_positions

    def new_prefix(self, model: nn.Module) -> Float[Tensor, "prompt two_d_model"]:
        prefix = torch.randn(self.num_virtual_tokens, 2 * model.config.d_model, dtype=adapter_dtype(model))
        return prefix.to(device_of(model))

    def new_trunk(self, model: nn.Module) -> PrefixTrunk:
        d_model = model.config.d_model
        trunk = PrefixTrunk(self.num_virtual_tokens, d_model, self.encoder_hidden_size or d_model)
        return trunk.to(device=device_of(model), dtype=adapter_dtype(model))

    def exported(self, tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], PeftConfig]:
        """Keys and values, packed, and a config without a network."""
        direct = {field.name: getattr(self, field.name) for field in fields(PrefixTuningConfig)}
        direct |= {"prefix_projection": False, "encoder_hidden_size": None}
        return packed(tensors, self.num_transformer_submodules == 1), PrefixTuningConfig(**direct)

    def imported(self, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return unpacked(tensors, wanted, self.num_transformer_submodules == 1)
