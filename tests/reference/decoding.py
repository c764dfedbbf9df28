"""Decoding by enumeration and by plain lists.

`log_probs(prefix)` gives the log-probabilities of the next token after the tokens said so far (without bos).
"""

from collections.abc import Callable, Iterator

import numpy as np

Prefix = tuple[int, ...]
LogProbs = Callable[[Prefix], np.ndarray]


def every_sequence(vocab: int, eos: int, longest: int, prefix: Prefix = ()) -> Iterator[Prefix]:
    """All sequences that end with eos, or are cut at `longest`."""
    if prefix and (prefix[-1] == eos or len(prefix) == longest):
        yield prefix
        return
    for token in range(vocab):
        yield from every_sequence(vocab, eos, longest, (*prefix, token))


def score(log_probs: LogProbs, sequence: Prefix, penalty: float) -> float:
    total = sum(float(log_probs(sequence[:t])[token]) for t, token in enumerate(sequence))
    return total / len(sequence) ** penalty


def best_sequence(log_probs: LogProbs, vocab: int, eos: int, longest: int, penalty: float) -> Prefix:
    return max(every_sequence(vocab, eos, longest), key=lambda sequence: score(log_probs, sequence, penalty))


def beam_search(log_probs: LogProbs, eos: int, longest: int, beams: int, penalty: float) -> Prefix:
    """The rules of transformer/decoding/beam.py for one source, with a list of (total, prefix) that is sorted anew each step."""
    running: list[tuple[float, Prefix]] = [(0.0, ())]
    finished: list[tuple[float, Prefix]] = []
    for length in range(1, longest + 1):
        continuations = [
            (total + float(log_prob), (*prefix, token))
            for total, prefix in running
            for token, log_prob in enumerate(log_probs(prefix))
        ]
        candidates = sorted(continuations, reverse=True)[: 2 * beams]
        running = []
        for rank, (total, prefix) in enumerate(candidates):
            if prefix[-1] == eos or length == longest:
                if rank < beams:
                    finished.append((total / length**penalty, prefix))
            else:
                running.append((total, prefix))
        running = running[:beams]
        finished = sorted(finished, reverse=True)[:beams]
        hopeless = len(finished) == beams and (not running or running[0][0] / length**penalty <= finished[-1][0])
        if hopeless:
            break
    return finished[0][1]


def top_k_set(probabilities: np.ndarray, k: int) -> set[int]:
    return set(np.argsort(-probabilities)[:k].tolist())


def top_p_set(probabilities: np.ndarray, p: float) -> set[int]:
    """Tokens from the best on, until their mass reaches `p`."""
    chosen: set[int] = set()
    mass = 0.0
    for token in np.argsort(-probabilities).tolist():
        chosen.add(token)
        mass += probabilities[token]
        if mass >= p:
            break
    return chosen
