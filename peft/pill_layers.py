"""PILL's parts: the adapter, the experts, and the value gate (pill.py says where each of them stands).

    GLU(x) = U (silu(G x) ⊙ D x)            G, D ∈ R^{r × d},  U ∈ R^{d × r}, without biases

At the start U = 0, D ~ N(0, 0.02²), G is uniform on ±1/√d, and W_g of the value gates is 0.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from peft.frame.casting import SideNetwork, in_one_type
from peft.frame.context import CallContext
from peft.frame.layers import AdaptedLayer


class GLUAdapter(SideNetwork):
    """A gated linear unit: d features → r twice, one weighted by the silu of the other, and back to d."""

    def __init__(self, d_model: int, rank: int):
        super().__init__()
        self.gate = nn.Linear(d_model, rank, bias=False)
        self.down = nn.Linear(d_model, rank, bias=False)
        self.up = nn.Linear(rank, d_model, bias=False)
        nn.init.normal_(self.down.weight, std=0.02)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch time d_model"]:
        """U (silu(G x) ⊙ D x), with G the gate, D down and U up."""
        return self.up(F.silu(self.gate(x)) * self.down(x))


class ValueGate(SideNetwork, nn.Linear):
    """One factor for each head, 0 at the start."""

    def __init__(self, d_model: int, heads: int):
        super().__init__(d_model, heads, bias=False)
        nn.init.zeros_(self.weight)

    def forward(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch time heads"]:
        """tanh(W_g x)"""
        return F.linear(x, self.weight).tanh()


@in_one_type
def weighted_by_head(
    values: Float[Tensor, "batch time d_model"], factors: Float[Tensor, "batch time heads"]
) -> Float[Tensor, "batch time d_model"]:
    """Each head's block of features times the head's factor."""
    heads = rearrange(values, "batch time (heads d_head) -> batch time heads d_head", heads=factors.shape[-1])
    return rearrange(heads * factors.unsqueeze(-1), "batch time heads d_head -> batch time (heads d_head)")


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

    def own_parameters(self) -> dict[str, nn.Parameter]:
        """What the stage trains."""
        return {name: p for name, p in self.every_parameter().items() if self.stage == 2 or self.in_stage_1(name)}

    def in_stage_1(self, name: str) -> bool:
        """Whether stage 1 trains it: only the new types' experts."""
        return False


class RoutedFeedForward(PillLayer):
    """Around a feed forward: it reads x + GLU_t(x), with an expert for each type of token."""

    def __init__(self, base: nn.Module, experts: nn.ModuleList, types: TokenTypes, reads: str, is_last: bool):
        super().__init__(base)
        self.experts = experts
        self.types = types
        self.reads = reads
        self.is_last = is_last
        self.context = CallContext()

    def in_stage_1(self, name: str) -> bool:
        """All experts but that of type 0."""
        return not name.startswith("experts.0.")

    def forward(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch time d_model"]:
        """FFN(x + GLU_t(x)), t: a token's type, in the decoder a target token's. In the last layer of stage 1 known and new
        change places: expert 1 for type 0, expert 0 for all others."""
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
        """The base's attention on x + GLU(x)."""
        x = query + self.adapter(query)  # in a self-attention all three are one
        return self.base(x, x, x, *rest)


class GatedValues(PillLayer):
    """Around the projection of the values: those of new types count as much as a gate for each head says."""

    def __init__(self, base: nn.Module, value_gate: ValueGate, types: TokenTypes):
        super().__init__(base)
        self.value_gate = value_gate
        self.types = types
        self.context = CallContext()

    def forward(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch time d_model"]:
        """V, and of source tokens of new types tanh(W_g x) · V, head by head. In stage 1 there is no gate."""
        values = self.base(x)
        if self.stage == 1:
            return values
        is_new = self.types(self.context.source, len(x)) > 0
        factors = self.value_gate(x).masked_fill(~is_new.unsqueeze(-1), 1.0)
        return weighted_by_head(values, factors)
