"""The fast step's questions to the memory of a source, whose keys and values are there from the start (fast.py)."""

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from transformer.attention import MultiHeadAttention, for_every_query
from transformer.decoding.fast_blocks import answers
from transformer.decoding.fast_products import Block, leading, linear, product


def memory_block(
    attention: MultiHeadAttention,
    memory: Float[Tensor, "batch source d_model"],
    mask: Bool[Tensor, "batch 1 1 source"],
    rows: int,
) -> Block:
    """Every row asks the memory of its source; the rows of a source stand side by side."""
    whole = bool(mask.all())  # such a mask need not be applied at every step
    if len(memory) == 1 and mask.any() and not whole:
        memory, whole = memory[:, mask.flatten()], True  # padding of a single source is left out
    plain = type(attention.q_proj) is type(attention.out_proj) is nn.Linear and type(attention.q_norm) is nn.Identity
    if len(memory) == 1 and whole and plain and memory.shape[1] <= attention.d_head:
        return absorbed_block(attention, memory, rows)
    keys, values = (each.contiguous() for each in keys_and_values(attention, memory))
    to_query, output = linear(attention.q_proj, rows), linear(attention.out_proj, rows)
    batch, num_heads, _, d_head = keys.shape
    some, together = None if whole else mask, (*leading(rows), -1)

    def block(x: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows d_model"]:
        queries = to_query(x).view(batch, -1, num_heads, d_head).transpose(1, 2)
        heads = answers(attention.q_norm(queries), keys, values, some)
        return output(heads.transpose(1, 2).reshape(together))

    return block


def absorbed_block(attention: MultiHeadAttention, memory: Float[Tensor, "1 source d_model"], rows: int) -> Block:
    """The same of a single source with no more positions than a head has features: W_q and W_o are multiplied into its keys and
    values once, and every step reads no more numbers, in two products.

        softmax((W_q x + b_q) Kᵀ / √d_head) V W_oᵀ + b_o  =  softmax(x A + a) B + b_o
        A = W_qᵀ Kᵀ / √d_head      a = b_q Kᵀ / √d_head      B = V W_oᵀ           of every head, side by side

    Paper     "DeepSeek-V2" (arXiv 2405.04434), section 2.1.2: there the matrices that are multiplied are both weights
    """
    keys, values = (each[0] for each in keys_and_values(attention, memory))
    _, source, d_head = keys.shape
    keys = keys / d_head**0.5
    w_q = rearrange(attention.q_proj.weight, "(heads d_head) d_model -> heads d_head d_model", d_head=d_head)
    w_o = rearrange(attention.out_proj.weight, "d_model (heads d_head) -> heads d_head d_model", d_head=d_head)
    bias = attention.q_proj.bias
    if bias is not None:
        bias = (keys @ rearrange(bias, "(heads d_head) -> heads d_head 1", d_head=d_head)).flatten()
    to_scores = product((keys @ w_q).flatten(0, 1), bias, rows)
    output = product((values @ w_o).flatten(0, 1).T, attention.out_proj.bias, rows)

    def block(x: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows d_model"]:
        scores = to_scores(x)
        return output(scores.view(-1, source).softmax(dim=-1).view(scores.shape))

    return block


def keys_and_values(
    attention: MultiHeadAttention, memory: Float[Tensor, "batch source d_model"]
) -> list[Float[Tensor, "batch heads source d_head"]]:
    """Both, for every head of queries."""
    return [for_every_query(each, attention.num_heads) for each in attention.keys_and_values(memory, memory)]
