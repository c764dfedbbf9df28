"""Mistakes that learners have made, and whose cards once said nothing: each is named now."""

import pytest

from lessons.exercises.catalogue import get
from lessons.exercises.exercise import Wrong
from lessons.exercises.selfcheck.trials import edited
from lessons.exercises.stub import live_source
from lessons.exercises.student.wording import result_text
from tests.exercises.unseen.in_process import check_in_process

MASKED_LINES = (
    "scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)\n"
    "        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)"
)
CASES = [
    ("causal_mask", ".tril(diagonal=past)", ".triu(diagonal=past + 1)", "the other way round"),
    ("causal_mask", "if length < 1 or past < 0:", "if False:", "causal_mask(length=0, past=0) must raise ValueError"),
    (
        "scaled_dot_product_attention",
        MASKED_LINES,
        "weights = scores.masked_fill(mask, -1e9).softmax(dim=-1)",
        "the other way round",
    ),
    ("scaled_dot_product_attention", "math.sqrt(query.shape[-1])", "math.sqrt(key.shape[-2])", "number of keys"),
    (
        "layer_norm",
        "centered * torch.rsqrt(variance + self.eps)",
        "centered / (x.std(dim=-1, keepdim=True) + self.eps)",
        "divided by d_model - 1, and ε",
    ),
    (
        "layer_norm",
        "centered = x - x.mean(dim=-1, keepdim=True)\n        variance = centered.square().mean(dim=-1, keepdim=True)",
        "centered = x - x.mean()\n        variance = centered.square().mean()",
        "over the whole tensor",
    ),
    (
        "multi_head_attention",
        'rearrange(heads, "batch heads query d_head -> batch query (heads d_head)")',
        "heads.reshape(len(query), query.shape[1], -1)",
        "a reshape without moving",
    ),
    (
        "multi_head_attention",
        "check_mask(mask, len(query), self.num_heads, query.shape[1], keys.shape[2])",
        "pass",
        "must raise ValueError",
    ),
    ("prefix_tuning", "(prefix_key.shape[2], 0)", "(0, prefix_key.shape[2])", "behind"),
    ("p_tuning", "self.lstm(self.embedding)[0]", "self.lstm(self.embedding[None])[0][0]", "a sequence of its own"),
    (
        "grpo_advantages",
        "groups.std(dim=1, keepdim=True) + 1e-4",
        "groups.std(dim=1, keepdim=True, correction=0) + 1e-8",
        "biased",
    ),
    ("add_norm", "self.norm(x + self.dropout(sublayer(x)))", "self.norm(x + sublayer(x))", "dropout is missing"),
    (
        "cosine_schedule",
        "(step - warmup) / max(1, total - warmup)",
        "step / max(1, total - warmup)",
        "where the warm-up ends",
    ),
    ("cosine_schedule", "max(1, total - warmup)", "(total - warmup)", "cosine_schedule(step=5, total=4, warmup=4)"),
    ("sinusoidal_positional_encoding", "(even / d_model)", "(2 * even / d_model)", "exponent"),
    ("gae", "gamma * next_value", "next_value", "γ"),
    ("gae", "gamma * lam * advantage", "lam * advantage", "γ"),
    ("truncate", "min(top_k, logits.shape[-1])", "top_k", "top_k=10"),
    ("prefix_tuning", "mask.expand(*mask.shape[:-1], key.shape[2])", "mask", "mask"),
    ("dpo_loss", "F.logsigmoid(margin)", "beta * F.logsigmoid(margin / beta)", "outside"),
    ("double_quantization", "(levels[:-1] + levels[1:]) / 2", "levels[1:]", "nearest"),
]


def card(name: str, old: str, new: str) -> str:
    exercise = get(name)
    return result_text(check_in_process(exercise, edited(exercise, live_source(exercise), Wrong(old, new, ""))))


@pytest.mark.parametrize(("name", "old", "new", "said"), CASES)
def test_a_mistake_of_learners_is_named(name, old, new, said):
    assert said in card(name, old, new)


def test_an_edge_case_waits_until_what_is_computed_is_right():
    exercise = get("truncate")
    source = edited(exercise, live_source(exercise), Wrong("min(top_k, logits.shape[-1])", "top_k", ""))
    source = edited(exercise, source, Wrong("mass_before >= top_p", "mass_before < top_p", ""))

    said = check_in_process(exercise, source).message

    assert "so many tokens are left" in said
    assert "RuntimeError" not in said
