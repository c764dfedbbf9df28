"""Learning from preferences in plain NumPy, one response and one token at a time."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def log_sigmoid(x: float) -> float:
    return -float(np.log1p(np.exp(-x)))


def preference_loss(chosen: Array, rejected: Array) -> float:
    return float(np.mean([-log_sigmoid(c - r) for c, r in zip(chosen, rejected)]))


def token_rewards(scores: Array, log_probs: Array, reference: Array, mask: Array, beta: float) -> Array:
    rewards = np.zeros(log_probs.shape)
    for row, real in enumerate(mask):
        for t in np.flatnonzero(real):
            rewards[row, t] = -beta * (log_probs[row, t] - reference[row, t])
        rewards[row, np.flatnonzero(real)[-1]] += scores[row]
    return rewards


def gae(rewards: Array, values: Array, mask: Array, gamma: float, lam: float) -> tuple[Array, Array]:
    """The sum that the recursion stands for: A_t = Σ_k (γλ)^k δ_{t+k}, over the tokens that are left."""
    advantages, returns = np.zeros(values.shape), np.zeros(values.shape)
    for row, real in enumerate(mask):
        length = int(real.sum())
        for t in range(length):
            for k in range(length - t):
                following = values[row, t + k + 1] if t + k + 1 < length else 0.0
                delta = rewards[row, t + k] + gamma * following - values[row, t + k]
                advantages[row, t] += (gamma * lam) ** k * delta
            returns[row, t] = advantages[row, t] + values[row, t]
    return advantages, returns


def whiten(values: Array, mask: Array, shift_mean: bool = True) -> Array:
    real = values[mask]
    mean, variance = real.mean(), real.var()
    whitened = np.zeros(values.shape)
    whitened[mask] = (real - mean) / np.sqrt(variance + 1e-8) + (0.0 if shift_mean else mean)
    return whitened


def ppo_policy_loss(log_probs: Array, old: Array, advantages: Array, mask: Array, clip: float) -> float:
    losses = []
    for row, t in zip(*np.nonzero(mask)):
        ratio = np.exp(log_probs[row, t] - old[row, t])
        near = min(max(ratio, 1 - clip), 1 + clip)
        losses.append(max(-advantages[row, t] * ratio, -advantages[row, t] * near))
    return float(np.mean(losses))


def ppo_value_loss(values: Array, old: Array, returns: Array, mask: Array, clip: float) -> float:
    losses = []
    for row, t in zip(*np.nonzero(mask)):
        near = old[row, t] + min(max(values[row, t] - old[row, t], -clip), clip)
        losses.append(max((values[row, t] - returns[row, t]) ** 2, (near - returns[row, t]) ** 2))
    return 0.5 * float(np.mean(losses))


def dpo_loss(pi_c: Array, pi_r: Array, ref_c: Array, ref_r: Array, beta: float, smoothing: float = 0.0) -> float:
    losses = []
    for row in range(len(pi_c)):
        h = beta * ((pi_c[row] - ref_c[row]) - (pi_r[row] - ref_r[row]))
        losses.append(-(1 - smoothing) * log_sigmoid(h) - smoothing * log_sigmoid(-h))
    return float(np.mean(losses))


def ipo_loss(pi_c: Array, pi_r: Array, ref_c: Array, ref_r: Array, beta: float) -> float:
    return float(np.mean(((pi_c - ref_c) - (pi_r - ref_r) - 1 / (2 * beta)) ** 2))


def grpo_advantages(rewards: Array, group_size: int) -> Array:
    advantages = np.zeros(len(rewards))
    for start in range(0, len(rewards), group_size):
        group = rewards[start : start + group_size]
        advantages[start : start + group_size] = (group - group.mean()) / (group.std(ddof=1) + 1e-4)
    return advantages


def grpo_loss(
    log_probs: Array,
    old: Array,
    reference: Array,
    advantages: Array,
    mask: Array,
    beta: float,
    clip: float,
    per: float | None,
) -> float:
    """`per`: the constant length; None for each response's own."""
    totals = []
    for row, real in enumerate(mask):
        total = 0.0
        for t in np.flatnonzero(real):
            ratio = np.exp(log_probs[row, t] - old[row, t])
            near = min(max(ratio, 1 - clip), 1 + clip)
            log_r = reference[row, t] - log_probs[row, t]
            total += max(-advantages[row] * ratio, -advantages[row] * near) + beta * (np.exp(log_r) - 1 - log_r)
        totals.append(total / (per or real.sum()))
    return float(np.mean(totals))


def kl(p: Array, q: Array) -> float:
    return float(np.sum(p * (np.log(p) - np.log(q))))


def softmax(logits: Array) -> Array:
    exp = np.exp(logits - logits.max())
    return exp / exp.sum()


def slope(f: Callable[[Array], float], x: Array, step: float = 1e-5) -> Array:
    """The gradient of a function of a vector, by central differences."""
    unit = np.eye(len(x)) * step
    return np.array([(f(x + e) - f(x - e)) / (2 * step) for e in unit])


def optimum(reference: Array, rewards: Array, beta: float) -> Array:
    """π* ∝ ref · exp(r / β): the best of E[r] - β KL(π ‖ ref) over all distributions."""
    return softmax(np.log(reference) + rewards / beta)


def adam_of_tensorflow(gradients: Sequence[Array], rate: float, beta1: float, beta2: float, epsilon: float) -> Array:
    """Where TensorFlow's Adam stands after these gradients, from 0: its ε is added after the bias correction."""
    x, m, v = np.zeros(len(gradients[0])), np.zeros(len(gradients[0])), np.zeros(len(gradients[0]))
    for t, gradient in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        x = x - rate * np.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (np.sqrt(v) + epsilon)
    return x


def grpo_optimum(reference: Sequence[Array], values: Sequence[Array], beta: float, group_size: int) -> Array:
    """Where GRPO with k3 and without the deviation comes to rest, on responses of two tokens.

    In every state the pull of the advantage and that of KL(ref ‖ π) cancel:  π_a (Q_a - V) = β (π_a - ref_a), that is
    π_a = ref_a / (1 + (V - Q_a) / β), with V such that they sum to 1. A group's mean holds a share 1 / G of the response
    itself, which makes the first pull weaker by (G - 1) / G.

    `reference`, `values`   ref and Q of the first token, then of the second one after each first token that does not end
    """
    price = beta * group_size / (group_size - 1)
    seconds = [rest(ref, q, price) for ref, q in zip(reference[1:], values[1:])]
    first_values = values[0].copy()
    first_values[np.isnan(first_values)] = [policy @ q for policy, q in zip(seconds, values[1:])]
    first = rest(reference[0], first_values, price)
    going_on = first[np.isnan(values[0])]
    return np.concatenate([first[~np.isnan(values[0])], *(p * policy for p, policy in zip(going_on, seconds))])


def rest(reference: Array, values: Array, price: float) -> Array:
    """π_a = ref_a / (1 + (V - Q_a) / price), V found by halving."""
    low, high = values.max() - price, values.max()
    for _ in range(200):
        middle = 0.5 * (low + high)
        total = (reference / (1 + (middle - values) / price)).sum()
        low, high = (middle, high) if total > 1 else (low, middle)
    policy = reference / (1 + (high - values) / price)
    return policy / policy.sum()
