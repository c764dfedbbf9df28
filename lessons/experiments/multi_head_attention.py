"""Lesson 4's measurements: heads in another order, how much heads differ, and what is lost without them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from lessons.task.dictionary import vocabulary
from lessons.task.scoring import evaluate, predict
from transformer import MultiHeadAttention, Transformer, record_attention
from transformer.attention import Attend

X = torch.tensor([[[1.0, 2, 3, 4], [5, 6, 7, 8]]])
ONLY = torch.tensor([[[[True, False]] * 2, [[False, True]] * 2]])
"""(batch, heads, query, key): head 0 may look at position 0 only, head 1 at position 1 only."""


def identity_attention(heads: int = 2) -> MultiHeadAttention:
    """d_model 4, all four matrices the identity, no bias."""
    small = MultiHeadAttention(d_model=4, num_heads=heads)
    with torch.no_grad():
        for projection in (small.q_proj, small.k_proj, small.v_proj, small.out_proj):
            projection.weight.copy_(torch.eye(4))
            projection.bias.zero_()
    return small


def heads_reordered(attention: MultiHeadAttention, order: Sequence[int]) -> MultiHeadAttention:
    """The same attention with its heads in another order: rows of q, k, v and columns of the output projection."""
    d_model = attention.q_proj.in_features
    blocks = rearrange(torch.arange(d_model), "(heads d_head) -> heads d_head", heads=len(order))
    features = blocks[torch.tensor(order)].flatten()
    shuffled = MultiHeadAttention(d_model, len(order))
    with torch.no_grad():
        for name in ("q_proj", "k_proj", "v_proj"):
            getattr(shuffled, name).weight.copy_(getattr(attention, name).weight[features])
            getattr(shuffled, name).bias.copy_(getattr(attention, name).bias[features])
        shuffled.out_proj.weight.copy_(attention.out_proj.weight[:, features])
        shuffled.out_proj.bias.copy_(attention.out_proj.bias)
    return shuffled


@torch.no_grad()
def maps_of(model: Transformer, word: str) -> dict[str, Float[Tensor, "heads query key"]]:
    """The weights of every attention while the model reads a word and says it."""
    source = torch.tensor([vocabulary().encode_word(word)])
    said = predict(model, [word])[word]
    target = torch.tensor([[vocabulary().bos_id, *vocabulary().encode_pronunciation(said)[:-1]]])
    with record_attention(model) as recorded:
        model(source, target)
    return {name: weights[0][0] for name, weights in recorded.items()}


def heads_apart(model: Transformer, words: Sequence[str]) -> dict[str, float]:
    """Attention → how much two of its heads differ: half of Σ|w - w'| over the keys; a mean over queries, pairs and words."""
    apart: dict[str, float] = {}
    for word in words:
        for name, weights in maps_of(model, word).items():
            table = (weights[:, None] - weights[None]).abs().sum(dim=-1).mean(dim=-1) / 2
            heads = len(table)
            mean = float(table.sum()) / (heads * (heads - 1))
            apart[name] = apart.get(name, 0.0) + mean / len(words)
    return apart


def cores_of(model: Transformer) -> dict[str, Attend]:
    """Each attention's core by the attention's name."""
    return {name.removesuffix(".attend"): core for name, core in model.named_modules() if isinstance(core, Attend)}


@contextmanager
def silenced(*chosen: tuple[Attend, int]) -> Iterator[None]:
    """The output of each (core, head) is 0 before the output projection."""
    with ExitStack() as stack:
        for core, head in chosen:
            handle = core.register_forward_hook(_zero(head))
            stack.callback(handle.remove)
        yield


def _zero(head: int) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        output = output.clone()
        output[:, head] = 0
        return output

    return hook


def worse_without(
    model: Transformer, cores: dict[str, Attend], words: Sequence[str]
) -> Float[Tensor, "attention heads"]:
    """The points of phoneme error that the model loses without each head."""
    heads, whole = model.config.num_heads, error(model, words)
    worse = torch.zeros(len(cores), heads)
    for row, core in enumerate(cores.values()):
        for head in range(heads):
            with silenced((core, head)):
                worse[row, head] = error(model, words) - whole
    return worse


def together(
    model: Transformer, cores: dict[str, Attend], worse: Tensor, counts: Sequence[int], words: Sequence[str]
) -> dict[int, float]:
    """How many heads are away, the least important first → phoneme error in per cent."""
    order = worse.flatten().argsort().tolist()
    places = [(list(cores.values())[at // worse.shape[1]], at % worse.shape[1]) for at in order]
    errors = {}
    for count in counts:
        with silenced(*places[:count]):
            errors[count] = error(model, words)
    return errors


def error(model: Transformer, words: Sequence[str]) -> float:
    return 100 * evaluate(model, words, "american").phoneme_error


def score_rank(attention: MultiHeadAttention, head: int = 0) -> int:
    """The rank of W_Q W_Kᵀ, the matrix by which a head scores two vectors."""
    rows = slice(head * attention.d_head, (head + 1) * attention.d_head)
    return int(
        torch.linalg.matrix_rank(attention.q_proj.weight[rows].detach().T @ attention.k_proj.weight[rows].detach())
    )
