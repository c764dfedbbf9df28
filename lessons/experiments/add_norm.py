"""Lesson 5's measurements: a fresh stack with and without each half of Add & Norm."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lessons.task.dictionary import words
from lessons.task.pretrain import base_config
from lessons.task.scoring import source_batch
from lessons.teaching import Values
from transformer import AddNorm, LayerNorm, Transformer

X = torch.tensor([0.0, 0, 4, 4])
SUBLAYER_SAYS = torch.tensor([2.0, 0, 0, -2])
ALIKE = 0.99
"""From this cosine on the positions count as one direction."""
FRAME = 2
"""Begin and end symbol, which stand around every word."""


def by_hand() -> dict[str, list[float]]:
    """The example: what stands where in post-norm and in pre-norm."""
    norm = LayerNorm(len(X), eps=1e-12)
    with torch.no_grad():
        total = X + SUBLAYER_SAYS
        steps = {"x": X, "norm": norm(X), "f": SUBLAYER_SAYS, "sum": total, "post": norm(total)}
    return {name: values.tolist() for name, values in steps.items()}


class NormOnly(AddNorm):
    """y = LayerNorm(f(x)): no residual."""

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        return self.norm(sublayer(x))


class AddOnly(AddNorm):
    """y = x + f(x): no norm."""

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        return x + sublayer(x)


class Neither(AddNorm):
    """y = f(x)."""

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        return sublayer(x)


VERSIONS: dict[str, type[AddNorm] | None] = {
    "pre-norm": None,
    "post-norm": None,
    "norm only": NormOnly,
    "add only": AddOnly,
    "neither": Neither,
}


def stack(version: str, depth: int, seed: int = 0) -> Transformer:
    """A fresh model whose encoder has this many layers of this version."""
    torch.manual_seed(seed)
    order: Any = "pre" if version == "pre-norm" else "post"
    shape = replace(base_config(), d_model=64, d_ff=128, num_encoder_layers=depth, num_decoder_layers=0, norm=order)
    model = Transformer(replace(shape, dropout=0.0))
    if replacement := VERSIONS[version]:
        layers: Iterable[Any] = model.encoder.layers
        for layer in layers:
            layer.self_attention_norm.__class__ = layer.feed_forward_norm.__class__ = replacement
    return model


def word_batch() -> Int[Tensor, "batch source"]:
    """Words of six to ten letters, as the encoder reads them."""
    return source_batch([word for word in words("american", "train", 5000) if 6 <= len(word) <= 10])


def of_length(sources: Tensor, letters: int, most: int) -> Tensor:
    """The words with this many letters, without padding."""
    long = letters + FRAME
    return sources[(sources != 0).sum(dim=1) == long][:most, :long]


@dataclass(frozen=True)
class Depth:
    """After each layer: the size of the gradient there, and how alike the positions of a word are (mean cosine)."""

    gradient: list[float]
    alike: list[float]

    @property
    def share(self) -> float:
        """The gradient at the first layer, against that at the last."""
        return self.gradient[0] / self.gradient[-1]


def through(version: str, layers: int, seeds: Iterable[int]) -> Depth:
    """Real words through a fresh stack, and a random gradient back: means over the seeds (geometric for gradients)."""
    runs = [one_stack(stack(version, layers, seed)) for seed in seeds]
    gradients, alike = (torch.tensor(series) for series in zip(*runs, strict=True))
    return Depth(gradients.log().mean(dim=0).exp().tolist(), alike.mean(dim=0).tolist())


def one_stack(model: Transformer) -> tuple[list[float], list[float]]:
    states: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        output.retain_grad()
        states.append(output)

    for layer in model.encoder.layers:
        layer.register_forward_hook(keep)
    output, _ = model.encode(of_length(word_batch(), 7, most=16))
    (output * torch.randn(output.shape)).mean().backward()
    return [float(state.grad.norm()) for state in states if state.grad is not None], [alikeness(s) for s in states]


def alikeness(states: Float[Tensor, "batch time d_model"]) -> float:
    """The mean cosine between two positions of one word."""
    units = nn.functional.normalize(states.detach(), dim=-1)
    time = states.shape[1]
    cosines = (units @ units.transpose(1, 2)).sum(dim=(1, 2)) - time
    return float(cosines.mean() / (time * (time - 1)))


def learn(version: str, layers: int, steps: int, warmup: int = 1, rate: float = 1e-3) -> list[float]:
    """The losses of a fresh stack that learns, at each position, to name the letter to the right."""
    model, sources, batches = stack(version, layers), word_batch(), torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    losses = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / warmup)
        source = sources[torch.randint(len(sources), (32,), generator=batches)]
        memory, _ = model.encode(source)
        logits, right = (memory @ model.source_embedding.weight.T)[:, :-1], source[:, 1:]
        loss = nn.functional.cross_entropy(logits[right != 0], right[right != 0])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def end(losses: Sequence[float]) -> float:
    """The mean of the last ten."""
    return sum(losses[-10:]) / 10


def deviation_mistake(size: int) -> Values:
    """By how much torch's `std`, which divides by d - 1, makes everything too small."""
    return {"size": size, "short": 100 * (1 - ((size - 1) / size) ** 0.5)}
