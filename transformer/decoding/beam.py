"""Beam search: keep the best few prefixes, not only the best one.

    score(y) = Σ_t log p(y_t | y_{<t}, source) / length(y)^{length_penalty}          length counts eos

Each step looks at the 2K best continuations of the K running prefixes. Those that end, and are among the K best, are
set aside with their score; the K best that go on become the next prefixes. A source is done when its best running prefix,
scored at its present length, is no better than the worst of K finished ones. At the last position everything counts as
finished. These are the rules of `generate` in transformers with early_stopping=False.
"""

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor

from transformer.config import TransformerConfig
from transformer.decoding.steps import NextLogits

NEVER = -1.0e9
"""The score of what must not be chosen: finite, so that it can be compared and added."""


class Finished:
    """The K best finished sequences of every source, best first."""

    def __init__(self, batch: int, beams: int, pad_id: int, device: torch.device):
        self.pad_id = pad_id
        self.tokens = torch.full((batch, beams, 1), pad_id, dtype=torch.long, device=device)
        self.scores = torch.full((batch, beams), NEVER, dtype=torch.float32, device=device)

    def add(self, tokens: Int[Tensor, "batch candidates time"], scores: Float[Tensor, "batch candidates"]) -> None:
        """The best of the old and the new stay, the best first; shorter rows are filled up on the right with `pad_id`."""
        beams = self.scores.shape[1]
        kept = torch.nn.functional.pad(self.tokens, (0, tokens.shape[2] - self.tokens.shape[2]), value=self.pad_id)
        self.scores, order = torch.cat([self.scores, scores], dim=1).topk(beams, dim=1)
        self.tokens = pick(torch.cat([kept, tokens], dim=1), order)

    def can_improve(self, best_running: Float[Tensor, " batch"]) -> Bool[Tensor, " batch"]:
        """The worst place is still free (its score is NEVER), or a running prefix beats it."""
        return best_running > self.scores[:, -1]


def best_continuations(
    running: Float[Tensor, "batch beams"], logits: Float[Tensor, "rows vocab"], count: int
) -> tuple[Float[Tensor, "batch best"], Int[Tensor, "batch best"], Int[Tensor, "batch best"]]:
    """Of every prefix with every token, the `count` best (or all, if there are fewer): score, prefix and token of each.

    `running` are the prefixes' scores, `logits` those of the next token, all prefixes of a source one after the other.
    """
    batch, vocab = len(running), logits.shape[-1]
    log_probs = rearrange(logits.float().log_softmax(dim=-1), "(batch beams) vocab -> batch beams vocab", batch=batch)
    totals = rearrange(running[:, :, None] + log_probs, "batch beams vocab -> batch (beams vocab)")
    scores, best = totals.topk(min(count, totals.shape[1]), dim=1)
    return scores, best // vocab, best % vocab


def beam_search(
    next_logits: NextLogits,
    config: TransformerConfig,
    start: Int[Tensor, "batch start"],
    max_new_tokens: int,
    num_beams: int,
    length_penalty: float,
) -> Int[Tensor, "batch time"]:
    """The best continuation of each row of `start`, after those tokens.

    `next_logits(tokens, rows)` continues the prefixes `tokens` (batch · beams, time); `rows` says which row of the step
    before each prefix came from (None at the first step).
    """
    batch, device = len(start), start.device
    tokens = repeat(start, "batch start -> batch beams start", beams=num_beams)
    running = torch.full((batch, num_beams), NEVER, device=device)
    running[:, 0] = 0.0  # all prefixes are equal at the start: let only the first one branch
    finished = Finished(batch, num_beams, config.pad_id, device)
    open_rows = torch.ones(batch, dtype=torch.bool, device=device)
    first_row = torch.arange(batch, device=device)[:, None] * num_beams
    rows = None
    for length in range(1, max_new_tokens + 1):
        logits = next_logits(rearrange(tokens, "batch beams time -> (batch beams) time"), rows)
        scores, parents, chosen = best_continuations(running, logits, 2 * num_beams)
        tokens = torch.cat([pick(tokens, parents), chosen[:, :, None]], dim=2)

        ended = (chosen == config.eos_id) | (length == max_new_tokens)
        counts = ended & open_rows[:, None]
        counts[:, num_beams:] = False
        finished.add(tokens, torch.where(counts, scores / length**length_penalty, NEVER))

        running, survivors = (scores + NEVER * ended).topk(num_beams, dim=1)
        tokens = pick(tokens, survivors)
        rows = rearrange(first_row + parents.gather(1, survivors), "batch beams -> (batch beams)")
        open_rows &= finished.can_improve(running[:, 0] / length**length_penalty)
        if not open_rows.any():
            break
    return trimmed(finished.tokens[:, 0], start.shape[1], config.eos_id)


def pick(
    tokens: Int[Tensor, "batch rows time"], order: Int[Tensor, "batch picked"]
) -> Int[Tensor, "batch picked time"]:
    return tokens.gather(1, repeat(order, "batch picked -> batch picked time", time=tokens.shape[2]))


def trimmed(tokens: Int[Tensor, "batch time"], start: int, eos_id: int) -> Int[Tensor, "batch kept"]:
    """Without the columns in which every row is already finished."""
    ended = (tokens[:, start:] == eos_id).int().cumsum(dim=1) > 0
    still_open = (~ended).any(dim=0)
    return tokens[:, : start + 1 + int(still_open[:-1].sum())]
