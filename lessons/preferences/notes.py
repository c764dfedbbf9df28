"""The extractive-notes task: a world small enough to see a reward being hacked.

A source is eight letters. Capitals matter, small letters are filler. A note copies letters of the source. Whoever judges
notes has a hidden score (the gold), and says only which of two notes is the better one:

    gold = + 1 for each capital of the source that is noted       - 1/2 for each small letter of the source that is noted
           - 1 for each letter noted again or invented            - 1 if the note does not end

    P(a ≻ b) = σ(gold(a) - gold(b))

The first model is taught to copy a random half, without repeats. It slips now and then, so some pairs show one repeat and hardly
any shows several: the reward model does not learn how bad they are. Whoever follows it far enough finds out.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlhf import Preferences, collate_preferences
from rlhf.preferences import Preference
from rlhf.responses import response_mask
from transformer import TrainingConfig, Transformer, TransformerConfig, generate, train

PAD, BOS, EOS = 0, 1, 2
FIRST, CAPITALS, LETTERS = 3, 10, 20
LENGTH, LONGEST_NOTE = 8, 12
ALPHABET = "ABCDEFGHIJklmnopqrst"
CONFIG = TransformerConfig(
    vocab_size=FIRST + LETTERS,
    d_model=64,
    num_heads=4,
    num_encoder_layers=2,
    num_decoder_layers=2,
    d_ff=128,
    dropout=0.0,
    max_length=24,
    norm="pre",
)


def sources(count: int, generator: torch.Generator) -> Int[Tensor, "count source"]:
    """Random letters, some of them twice; every source ends with EOS."""
    letters = torch.randint(FIRST, FIRST + LETTERS, (count, LENGTH), generator=generator)
    return torch.cat([letters, torch.full((count, 1), EOS)], dim=1)


def gold(
    source: Int[Tensor, "batch source"], responses: Int[Tensor, "batch time"], mask: Bool[Tensor, "batch time"]
) -> Float[Tensor, " batch"]:
    """The hidden score of each note."""
    asked = counts(source, torch.ones_like(source, dtype=torch.bool)) > 0
    noted = counts(responses, mask)
    found = (asked & (noted > 0)).float()
    value = torch.tensor([1.0] * CAPITALS + [-0.5] * (LETTERS - CAPITALS))
    wasted = noted.sum(dim=1) - found.sum(dim=1)  # repeats of a letter, and letters that are not in the source
    ended = (responses == EOS).any(dim=1).float()
    return (found * value).sum(dim=1) - wasted - (1.0 - ended)


def counts(ids: Int[Tensor, "batch time"], mask: Bool[Tensor, "batch time"]) -> Float[Tensor, "batch letters"]:
    """How often each letter stands in a row; BOS and PAD, which no note should hold, count as nothing."""
    hot = torch.nn.functional.one_hot(ids, FIRST + LETTERS) * mask[..., None]
    return hot.sum(dim=1)[:, FIRST:].float()


def half_copied(row: Sequence[int], generator: torch.Generator) -> list[int]:
    """Each different letter of a source with probability 1/2, in order."""
    letters = list(dict.fromkeys(row[:LENGTH]))
    keep = torch.rand(len(letters), generator=generator) < 0.5
    return [letter for letter, kept in zip(letters, keep.tolist(), strict=True) if kept] + [EOS]


def first_model(seed: int, steps: int) -> Transformer:
    """A model that copies a random half of the letters: what all others start from."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    examples = [(row, half_copied(row, generator)) for row in sources(20 * steps, generator).tolist()]
    model = Transformer(CONFIG)
    train(model, examples, TrainingConfig(steps=steps, learning_rate=3e-3, warmup=40, max_tokens=1200, seed=seed))
    return model.eval()


def judged_pairs(model: Transformer, count: int, seed: int) -> Preferences:
    """Two notes of the model on each of `count` sources, and which one the judge took; equal notes are left out."""
    generator = torch.Generator().manual_seed(seed)
    source = sources(count, generator)
    both = [generate(model, source, LONGEST_NOTE, do_sample=True, generator=generator)[:, 1:] for _ in range(2)]
    masks = [response_mask(notes, EOS) for notes in both]
    left, right = (gold(source, notes, mask) for notes, mask in zip(both, masks, strict=True))
    left_wins = torch.rand(count, generator=generator) < (left - right).sigmoid()
    pairs: list[Preference] = []
    for row, first in enumerate(left_wins.tolist()):
        notes = [ids[row][mask[row]].tolist() for ids, mask in zip(both, masks, strict=True)]
        if notes[0] != notes[1]:
            chosen, rejected = notes if first else notes[::-1]
            pairs.append((source[row].tolist(), chosen, rejected))
    return collate_preferences(pairs, PAD)


def spelled(ids: Sequence[int]) -> str:
    """A note in letters, up to its end; "…" if it has none."""
    text = "".join(ALPHABET[token - FIRST] for token in ids if token >= FIRST)
    return text if EOS in ids else f"{text}…"
