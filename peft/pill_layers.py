"""PILL's parts: the adapter, the experts, and the gate (pill.py says where each of them stands).

    GLU(x) = U (silu(G x) ⊙ D x)            G, D ∈ R^{r × d},  U ∈ R^{d × r}, without biases

At the start U = 0, D ~ N(0, 0.02²), G is uniform on ±1/√d, and the gates are 0.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from peft.frame.layers import AdaptedLayer


class GLUAdapter(nn.Module):
    """Narrow twice, let one narrow vector weight the other, widen."""

    def __init__(self, d_model: int, rank: int):
        super().__init__()
        self.gate = nn.Linear(d_model, rank, bias=False)
        self.down = nn.Linear(d_model, rank, bias=False)
        self.up = nn.Linear(rank, d_model, bias=False)
        nn.init.normal_(self.down.weight, std=0.02)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch time d_model"]:
        wide = x.to(self.down.weight.dtype)
        return self.up(F.silu(self.gate(wide)) * self.down(wide)).to(x.dtype)


class TokenTypes(nn.Module):
    """The type of every vocabulary id."""

    def __init__(self, types: Sequence[int]):
        super().__init__()
        self.table: Tensor
        self.register_buffer("table", torch.tensor(types), persistent=False)

    def forward(self, ids: Int[Tensor, "batch time"] | None, rows: int) -> Int[Tensor, "rows time"]:
        """The types of a call's ids, each row as often as beams repeat it."""
        if ids is None:
            raise ValueError("PILL needs the token ids of the call: run the PeftModel, not the base inside it")
        return self.table[ids].repeat_interleave(rows // len(ids), dim=0)


class PillLayer(AdaptedLayer):
    """The stage decides which of a layer's numbers are trained; all of them are saved."""

    merges = False
    stage = 2

    def enter_stage(self, stage: int) -> None:
        """From now on `own_parameters` are those of this stage. Whoever makes the adapter active makes them trainable."""
        self.stage = stage
        for parameter in self.every_parameter().values():
            parameter.requires_grad_(False)

    def every_parameter(self) -> dict[str, nn.Parameter]:
        return super().own_parameters()

    def own_parameters(self) -> dict[str, nn.Parameter]:
        return {name: p for name, p in self.every_parameter().items() if self.stage == 2 or self.in_stage_1(name)}

    def in_stage_1(self, name: str) -> bool:
        return False

    def saved(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self.every_parameter().items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.every_parameter().items():
                parameter.copy_(tensors[name])


class RoutedFeedForward(PillLayer):
    """Around a feed forward: it reads x + GLU_t(x), with an expert for each type of token."""

    def __init__(self, base: nn.Module, experts: nn.ModuleList, types: TokenTypes, reads: str, is_last: bool):
        super().__init__(base)
        self.experts = experts
        self.types = types
        self.reads = reads
        self.is_last = is_last

    def in_stage_1(self, name: str) -> bool:
        return not name.startswith("experts.0.")

    def forward(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch time d_model"]:
        types = self.types(getattr(self.context, self.reads), len(x))
        if self.stage == 1 and self.is_last:
            types = (types == 0).long()
        change = self.experts[0](x)
        for number, expert in enumerate(self.experts[1:], start=1):
            change = torch.where((types == number).unsqueeze(-1), expert(x), change)
        return self.base(x + change)


class AdaptedSelfAttention(PillLayer):
    """Around a self-attention: queries, keys and values are made from x + GLU(x)."""

    def __init__(self, base: nn.Module, adapter: GLUAdapter):
        super().__init__(base)
        self.adapter = adapter

    def forward(self, query: Tensor, key: Tensor, value: Tensor, *rest: object) -> Float[Tensor, "batch query d_model"]:
        x = query + self.adapter(query)  # in a self-attention all three are one
        return self.base(x, x, x, *rest)


class GatedValues(PillLayer):
    """Around the projection of the values: those of new types count as much as a gate for each head says."""

    def __init__(self, base: nn.Module, gate: nn.Linear, types: TokenTypes):
        super().__init__(base)
        self.gate = gate
        self.types = types
        nn.init.zeros_(gate.weight)

    def forward(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch time d_model"]:
        values = self.base(x)
        if self.stage == 1:
            return values
        is_new = self.types(self.context.source, len(x)) > 0
        strength = self.gate(x.to(self.gate.weight.dtype)).tanh().to(values.dtype)  # (batch, time, heads)
        strength = strength.masked_fill(~is_new.unsqueeze(-1), 1.0)
        heads = rearrange(values, "batch time (heads d_head) -> batch time heads d_head", heads=strength.shape[-1])
        return rearrange(heads * strength.unsqueeze(-1), "batch time heads d_head -> batch time (heads d_head)")
