"""A run: what the loops share. Adam, a random generator for every step, and a file to go on from.

Step n draws all its randomness from (seed, n). So a run that is killed and resumed ends with the same numbers.

Adam's ε. The first RLHF code ran on TensorFlow, which adds ε after the bias correction:

    PyTorch      θ ← θ - η m̂ / (√v̂ + ε)                                    m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ)
    TensorFlow   θ ← θ - η √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε)           the same with ε / √(1 - β₂ᵗ) in PyTorch's place

In the first steps TensorFlow's ε is the larger by far and the steps smaller, so that the first updates do not break a good
policy. It matters to PPO, whose ε was 1e-5 there. The learning rate falls linearly to 0.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from transformer.learning.batching import seed_of
from transformer.learning.loss import check_finite
from transformer.learning.resume import keep, resume

Record = dict[str, float]
"""The measurements of one step, by name."""
OnStep = Callable[[int, Record], None]

BETAS, SMALL_EPSILON = (0.9, 0.999), 1e-8


class Run:
    """What is trained, how far it has come, and the file that it is kept in.

    `modules`      are trained where they require gradients
    `settings`     of the run; it needs `steps`, `learning_rate`, `seed` and `checkpoint_every`
    `columns`      names the measurements of every step, each once
    `checkpoint`   a file that is written now and then, and resumed from if it is there
    `on_step`      is told the number and the measurements of each step
    `epsilon`      Adam's ε, as TensorFlow adds it

    `history` holds the measurements so far. Raises ValueError where nothing is trainable, for a name that two columns have,
    and for another run's file.
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        settings: Mapping[str, Any],
        columns: Sequence[str],
        checkpoint: str | Path | None = None,
        on_step: OnStep | None = None,
        epsilon: float = SMALL_EPSILON,
    ):
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            raise ValueError(f"the run measures {', '.join(twice)} itself: give your own measure another name")
        self.modules = nn.ModuleDict(modules)
        self.settings = {**settings, "columns": list(columns)}
        self.columns = tuple(columns)
        self.checkpoint, self.on_step, self.epsilon = checkpoint, on_step, epsilon
        self.parameters = [parameter for parameter in self.modules.parameters() if parameter.requires_grad]
        if not self.parameters:
            raise ValueError("nothing is trainable: every parameter is frozen")
        # What a loss does not reach gets a gradient of 0, and moments like the others.
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer = torch.optim.Adam(self.parameters, lr=settings["learning_rate"], betas=BETAS)
        self.updates = 0
        numbers = resume(self.modules, self.optimizer, self.settings, checkpoint)
        self.history: list[Record] = [dict(zip(self.columns, row)) for row in zip(*[iter(numbers)] * len(self.columns))]
        if self.history:
            self.updates = int(next(iter(self.optimizer.state.values()))["step"])

    def steps(self) -> Iterator[tuple[int, torch.Generator]]:
        """The numbers of the steps that are still to do, each with its generator."""
        total = self.settings["steps"]
        for step in range(len(self.history) + 1, total + 1):
            rate = self.settings["learning_rate"] * (1.0 - (step - 1) / total)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            yield step, seeded(self.settings["seed"], step, self.parameters[0].device)

    def descend(self, loss: Tensor, clip_norm: float) -> None:
        """One update by Adam, down the gradient of the loss, which is shortened to `clip_norm`.

        Raises ValueError, with the step and before any weight is touched, when the loss or a gradient is not finite.
        """
        self.optimizer.zero_grad(set_to_none=False)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, clip_norm)
        check_finite(len(self.history) + 1, loss.detach(), norm)
        self.updates += 1
        for group in self.optimizer.param_groups:
            group["eps"] = self.epsilon / math.sqrt(1.0 - BETAS[1] ** self.updates)
        self.optimizer.step()

    def record(self, record: Record) -> None:
        """Ends a step: notes its measurements, and keeps the run now and then."""
        self.history.append({name: float(record[name]) for name in self.columns})
        step, every = len(self.history), self.settings["checkpoint_every"]
        if self.on_step:
            self.on_step(step, self.history[-1])
        if self.checkpoint and (step % every == 0 or step == self.settings["steps"]):
            numbers = [value for row in self.history for value in row.values()]
            keep(self.modules, self.optimizer, self.settings, numbers, self.checkpoint)


def seeded(seed: int, number: int, device: torch.device) -> torch.Generator:
    """The generator of a step: the same numbers for the same seed and step, whatever was drawn before."""
    return torch.Generator(device).manual_seed(seed_of(seed, number))


def shuffled(count: int, generator: torch.Generator) -> Tensor:
    """The numbers 0 to count - 1 in a random order."""
    return torch.randperm(count, generator=generator, device=generator.device)


def draw(count: int, size: int, generator: torch.Generator) -> Tensor:
    """`size` different rows out of `count`, or rows with repetition when there are fewer. Raises ValueError where there are none."""
    if not count:
        raise ValueError("there are no prompts to draw from")
    if size <= count:
        return shuffled(count, generator)[:size]
    return torch.randint(count, (size,), generator=generator, device=generator.device)


def epoch_steps(count: int, batch_size: int, epochs: int) -> int:
    """How many steps that many epochs are; the last one of each may be short."""
    return epochs * math.ceil(count / batch_size)


def epoch_rows(count: int, batch_size: int, step: int, seed: int, device: torch.device) -> Tensor:
    """The rows of a step when every epoch goes once through everything, in an order of its own."""
    epoch, place = divmod(step - 1, math.ceil(count / batch_size))
    return shuffled(count, seeded(seed, epoch, device)).split(batch_size)[place]
