"""A model as transformers has it, and an adapter as Hugging Face PEFT puts it there: their names and attributes, no more.

The checks know such models by duck typing alone. The real libraries are asked in tests/parity; these stand in for them where
they are not installed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

VOCAB, PAD, BOS, EOS = 37, 0, 1, 2


class Attention(nn.Module):
    """Causal, with a slope over the distance in place of positions: a row may stand anywhere."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor, allowed: Tensor) -> Tensor:
        rows, time, width = x.shape
        query, key, value = (
            each(x).view(rows, time, self.heads, -1).transpose(1, 2) for each in (self.q_proj, self.k_proj, self.v_proj)
        )
        places = torch.arange(time)
        far = (places[:, None] - places[None, :]).clamp(min=0)
        scores = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5 - (0.3 * far).to(query.dtype)
        weights = scores.masked_fill(~allowed[:, None], torch.finfo(scores.dtype).min).softmax(dim=-1)
        return self.o_proj((weights @ value).transpose(1, 2).reshape(rows, time, width))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, inner: int):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.self_attn = Attention(width, heads)
        self.up_proj, self.down_proj = nn.Linear(width, inner, bias=False), nn.Linear(inner, width, bias=False)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor, allowed: Tensor) -> Tensor:
        x = x + self.dropout(self.self_attn(self.input_layernorm(x), allowed))
        return x + self.dropout(self.down_proj(torch.relu(self.up_proj(self.post_attention_layernorm(x)))))


class Published(nn.Module):
    """`table`: learned positions that are counted from the front, as GPT-2's, unless the batch gives `position_ids`."""

    def __init__(self, layers: int = 2, width: int = 32, heads: int = 4, table: bool = False, **config: Any):
        super().__init__()
        torch.manual_seed(13)
        kept = {"vocab_size": VOCAB, "pad_token_id": PAD, "bos_token_id": BOS, "eos_token_id": EOS,
                "tie_word_embeddings": True, "is_encoder_decoder": False, **config}  # fmt: skip
        self.config = SimpleNamespace(**kept)
        name = "wte" if table else "embed_tokens"
        self.add_module(name, nn.Embedding(VOCAB, width))
        if table:
            self.wpe = nn.Embedding(48, width)
        self.layers = nn.ModuleList(Block(width, heads, 2 * width) for _ in range(layers))
        self.norm, self.lm_head = nn.LayerNorm(width), nn.Linear(width, VOCAB, bias=False)
        self.lm_head.weight = self.get_input_embeddings().weight
        self.eval()

    def get_input_embeddings(self) -> nn.Module:
        return self.wte if hasattr(self, "wte") else self.embed_tokens

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, position_ids: Tensor | None = None
    ) -> SimpleNamespace:
        time = input_ids.shape[1]
        real = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        x = self.get_input_embeddings()(input_ids)
        if hasattr(self, "wpe"):
            x = x + self.wpe(torch.arange(time)[None] if position_ids is None else position_ids)
        allowed = torch.ones(time, time).tril().bool()[None] & real.bool()[:, None, :]
        for layer in self.layers:
            x = layer(x, allowed)
        return SimpleNamespace(logits=self.lm_head(self.norm(x)))


class PublishedLora(nn.Module):
    def __init__(self, layer: nn.Linear, rank: int, scale: float):
        super().__init__()
        self.base_layer, self.disable_adapters, self.scaling = layer, False, {"default": scale}
        self.lora_A = nn.ModuleDict({"default": nn.Linear(layer.in_features, rank, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(rank, layer.out_features, bias=False)})
        nn.init.zeros_(self.lora_B["default"].weight)

    def forward(self, x: Tensor) -> Tensor:
        kept = self.base_layer(x)
        if self.disable_adapters:
            return kept
        return kept + self.scaling["default"] * self.lora_B["default"](self.lora_A["default"](x))


class PublishedPeft(nn.Module):
    """What Hugging Face's get_peft_model(model, LoraConfig(...)) returns: the base frozen, LoRA around the named layers."""

    def __init__(self, model: Published, rank: int = 4, scale: float = 2.0, targets: tuple[str, ...] = ("q_proj",)):
        super().__init__()
        torch.manual_seed(17)
        self.base_model = nn.ModuleDict({"model": model.requires_grad_(False)})
        self.config, self.active_adapters = model.config, ["default"]
        self.peft_config = {"default": SimpleNamespace(peft_type=SimpleNamespace(value="LORA"), bias="none")}
        for path, module in list(model.named_modules()):
            if path.endswith(targets):
                parent, _, name = path.rpartition(".")
                setattr(model.get_submodule(parent), name, PublishedLora(module, rank, scale))

    def get_base_model(self) -> nn.Module:
        return self.base_model["model"]

    def get_input_embeddings(self) -> nn.Module:
        return self.get_base_model().get_input_embeddings()

    def adapters(self) -> list[PublishedLora]:
        return [module for module in self.modules() if isinstance(module, PublishedLora)]

    @contextmanager
    def disable_adapter(self) -> Iterator[None]:
        before = [module.disable_adapters for module in self.adapters()]
        try:
            for module in self.adapters():
                module.disable_adapters = True
            yield
        finally:
            for module, off in zip(self.adapters(), before, strict=True):
                module.disable_adapters = off

    def forward(self, *inputs: Any, **named: Any) -> SimpleNamespace:
        return self.get_base_model()(*inputs, **named)
