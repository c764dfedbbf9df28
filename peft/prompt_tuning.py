"""Prompt tuning: a few learned vectors stand in front of the words.

    x' = [P; √d E[source]]        P ∈ R^{p × d}        positions are added after it: P has 0..p-1, the words p, p+1, ...

Only the encoder's input has a prompt; the decoder reads it through the memory. Every mask gets p True columns.

Changes   the input embeddings (place 4)        Identity at start   no, however it starts
Trains    p d                                   Merges              no: it changes no weights
Paper     "The Power of Scale for Parameter-Efficient Prompt Tuning" (arXiv 2104.08691)
Note      P comes after the scaling by √d, so rows taken from the vocabulary are scaled ones. On an encoder-decoder
          Hugging Face PEFT trains 2 p rows and uses the first p; with num_transformer_submodules = 1 it does what we do.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from einops import repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from peft.frame.casting import in_one_type
from peft.frame.config import Placement
from peft.frame.layers import AdaptedLayer
from peft.frame.paths import base_modules
from peft.huggingface.virtual_tokens import PromptFiles
from peft.virtual_tokens import VirtualTokensConfig

INITIALIZATIONS = ("RANDOM", "SAMPLE_VOCAB", "TEXT")


@in_one_type
def in_front(
    prompt: Float[Tensor, "prompt d_model"],
    x: Float[Tensor, "batch source d_model"],
    mask: Bool[Tensor, "batch 1 1 source"],
) -> tuple[Float[Tensor, "batch prompt_and_source d_model"], Bool[Tensor, "batch 1 1 prompt_and_source"]]:
    """[P; x] for every row of the batch, and the mask in which everybody sees the prompt."""
    rows = repeat(prompt, "prompt d_model -> batch prompt d_model", batch=x.shape[0])
    return torch.cat([rows, x], dim=1), F.pad(mask, (prompt.shape[0], 0), value=True)


class PromptInput(AdaptedLayer):
    """Around the source's way in: lengthens the vectors and the mask."""

    merges = False

    def __init__(self, base: nn.Module, prompt: Float[Tensor, "prompt d_model"]):
        super().__init__(base)
        self.prompt_embeddings = nn.Parameter(prompt)

    def forward(
        self, x: Float[Tensor, "batch source d_model"], mask: Bool[Tensor, "batch 1 1 source"]
    ) -> tuple[Float[Tensor, "batch memory d_model"], Bool[Tensor, "batch 1 1 memory"]]:
        """The base's vectors and mask with the prompt in front."""
        return in_front(self.prompt_embeddings, *self.base(x, mask))


@dataclass(frozen=True)
class PromptTuningConfig(PromptFiles, VirtualTokensConfig):
    """How many vectors, and how they start.

    `num_virtual_tokens`             p, how many
    `prompt_tuning_init`             RANDOM: N(0, 1); SAMPLE_VOCAB: rows of random tokens; TEXT: rows of given tokens
    `prompt_tuning_init_token_ids`   the tokens of the text, cut or repeated to `num_virtual_tokens`
    """

    prompt_tuning_init: str = "RANDOM"
    prompt_tuning_init_token_ids: Collection[int] = ()
    peft_type: ClassVar[str] = "PROMPT_TUNING"
    ours: ClassVar[tuple[str, ...]] = ("sites", "prompt_tuning_init_token_ids")

    def check(self) -> None:
        """Raises ValueError for an unknown start, for a text without ids, and for ids without a text."""
        super().check()
        if self.prompt_tuning_init not in INITIALIZATIONS:
            raise ValueError(
                f"prompt_tuning_init is one of {', '.join(INITIALIZATIONS)}, not {self.prompt_tuning_init!r}"
            )
        if (self.prompt_tuning_init == "TEXT") != bool(self.prompt_tuning_init_token_ids):
            raise ValueError(
                f"prompt_tuning_init {self.prompt_tuning_init!r} with {len(self.prompt_tuning_init_token_ids)} "
                "prompt_tuning_init_token_ids: TEXT needs the ids of its text, the others take none"
            )

    def place(self, model: nn.Module) -> Placement:
        """The prompt around the source's way in."""
        self.check_room(model)
        prompt = self.start(model)
        return Placement(
            {path: PromptInput(base, prompt) for path, base in self.named(model, ("source_input",)).items()}
        )

    def start(self, model: nn.Module) -> Float[Tensor, "prompt d_model"]:
        """The first P. From the vocabulary it takes vectors as the encoder sees them: scaled.

        RANDOM draws from N(0, 1), SAMPLE_VOCAB takes rows at random, TEXT the rows of its ids, over and over. Raises
        ValueError for ids of a text outside the vocabulary.
        """
        if self.prompt_tuning_init == "RANDOM":
            return torch.randn(self.num_virtual_tokens, model.config.d_model)
        embeddings = dict(base_modules(model))["source_embedding"].weight.detach()
        ids = torch.randint(len(embeddings), (self.num_virtual_tokens,))
        if self.prompt_tuning_init == "TEXT":
            text = torch.tensor(self.prompt_tuning_init_token_ids)
            if text.min() < 0 or text.max() >= len(embeddings):
                raise ValueError(
                    f"prompt_tuning_init_token_ids {self.prompt_tuning_init_token_ids} are not all within the "
                    f"vocabulary 0..{len(embeddings) - 1}"
                )
            ids = text[torch.arange(self.num_virtual_tokens) % len(text)]
        return model.embedding_scale * embeddings[ids]
