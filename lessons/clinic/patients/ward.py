"""Where patients are made: a tuned model, batches of its task, and chance. The shipped base with its British, or a small one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lessons.clinic.reading import IGNORED, logits_of, read, token_losses
from peft import LoraConfig, PeftModel, get_peft_model
from peft.frame.paths import base_modules
from transformer import Transformer, TransformerConfig

Example = Mapping[str, Tensor]
Matrices = Mapping[str, Tensor]


@dataclass
class Ward:
    """`tuned` makes the model anew at every call, in evaluation and in float64.

    `turn`   which of the ways to be sick it is: those that follow each other show them all
    """

    tuned: Callable[[], PeftModel]
    batches: Sequence[Example]
    chance: torch.Generator
    turn: int

    def draw(self, *choices: float | str) -> float | str:
        """One of them: the next one at the next turn."""
        return choices[self.turn % len(choices)]

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.chance, dtype=torch.float64))

    def token_losses(self, model: torch.nn.Module, batch: Example) -> Tensor:
        """(batch, time): what each place costs, 0 where nothing is asked."""
        reading = read(batch, False, 0, 2)
        return token_losses(logits_of(model, reading, False).double(), reading.labels)

    def nats(self, model: torch.nn.Module) -> Tensor:
        """Nats per token over all batches."""
        with torch.no_grad():
            total = sum(self.token_losses(model, batch).sum() for batch in self.batches)
        return torch.as_tensor(total) / sum(int((batch["labels"] != IGNORED).sum()) for batch in self.batches)

    def nats_with(self, matrices: Matrices) -> Tensor:
        """The same where these matrices stand in the base's place, and no adapter's beside them."""
        model = self.tuned()
        with torch.no_grad():
            for path, module in base_modules(model.base_model):
                if path in matrices:
                    module.weight.copy_(matrices[path])
        for layer in model.modules():
            if hasattr(layer, "lora_A"):
                layer.scaling = 0.0  # what else the adapter trained, rows of tokens, stays
        return self.nats(model)


def small(seed: int) -> Ward:
    """Random sizes and numbers, LoRA on some of the matrices."""
    chance = torch.Generator().manual_seed(seed)

    def size(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=chance))

    shape = TransformerConfig(
        vocab_size=size(12, 18), d_model=2 * size(4, 6), num_heads=2, num_encoder_layers=1, num_decoder_layers=1,
        d_ff=size(9, 14), dropout=0.0, max_length=24, tie_embeddings=False,
    )  # fmt: skip
    config = LoraConfig(r=2, lora_alpha=size(3, 7), target_modules=("q_proj", "out_proj", "fc1"))
    rows = [torch.randint(3, shape.vocab_size, (2, size(2, 6)), generator=chance).tolist() for _ in range(size(9, 12))]
    cut = size(2, 3)

    def tuned() -> PeftModel:
        numbers = torch.Generator().manual_seed(seed)
        model = get_peft_model(Transformer(shape), config).double().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(0.4 * torch.randn(parameter.shape, generator=numbers, dtype=torch.float64))
        return model

    return Ward(tuned, [batch_of(rows[:cut]), batch_of(rows[cut:])], chance, turn=seed)


def batch_of(rows: Sequence[Sequence[Sequence[int]]]) -> Example:
    """Source and target of unequal lengths; the target ends with 2."""
    sources, targets = [row[0] for row in rows], [[*row[1], 2] for row in rows]
    width = max(map(len, targets))
    return {
        "source": torch.tensor([row + [0] * (max(map(len, sources)) - len(row)) for row in sources]),
        "inputs": torch.tensor([[1, *row[:-1]] + [0] * (width - len(row)) for row in targets]),
        "labels": torch.tensor([row + [IGNORED] * (width - len(row)) for row in targets]),
    }
