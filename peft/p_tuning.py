"""P-Tuning: a prompt that comes out of a small network, so that its vectors are trained together.

    P = encoder(E)                  E ∈ R^{p × d}          x' = [P; √d E[source]] as in prompt tuning

    LSTM   P = W_2 relu(W_1 [LSTM→(E); LSTM←(E)])         two layers in both directions, hidden size h in each
    MLP    P = W_3 relu(W_2 relu(W_1 E))

Once trained, the encoder runs once and only P is kept: a saved adapter is that of prompt tuning.

Changes   the input embeddings (place 4)        Identity at start   no
Trains    LSTM   p d + 8 h (d + h + 2) + 8 h (3 h + 2) + (4 h² + 2 h) + (2 h d + d)
          MLP    p d + (d h + h) + (h² + h) + (h d + d)
Merges    no: it changes no weights
Paper     "GPT Understands, Too" (arXiv 2103.10385)
Note      The paper puts its vectors inside a template of words; Hugging Face PEFT, and we, in front of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from peft.frame.casting import in_full_precision
from peft.frame.config import Placement, check_size
from peft.huggingface.virtual_tokens import KEY, EncodedPromptFiles
from peft.prompt_tuning import in_front
from peft.virtual_tokens import EncodedLayer, VirtualTokensConfig

MOST_LAYERS = 64
ENCODERS = ("MLP", "LSTM")


class PromptEncoder(nn.Module):
    """Makes the prompt: E, and the network behind it."""

    def __init__(self, prompt: int, d_model: int, hidden: int, kind: str, num_layers: int = 2, dropout: float = 0.0):
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(prompt, d_model))
        self.lstm: nn.LSTM | None = None
        if kind == "LSTM":
            between = dropout if num_layers > 1 else 0.0
            self.lstm = nn.LSTM(d_model, hidden, num_layers, dropout=between, bidirectional=True)
            self.head = nn.Sequential(nn.Linear(2 * hidden, 2 * hidden), nn.ReLU(), nn.Linear(2 * hidden, d_model))
        else:
            self.head = nn.Sequential(
                nn.Linear(d_model, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, d_model)
            )

    @in_full_precision
    def forward(self) -> Float[Tensor, "prompt d_model"]:
        """The prompt. In full precision: what will be kept is what was trained, and few CPUs have an LSTM in bf16."""
        hidden = self.embedding if self.lstm is None else self.lstm(self.embedding)[0]  # (prompt, 2 · hidden)
        prompt: Tensor = self.head(hidden)
        return prompt

    @torch.no_grad()
    def result(self) -> Float[Tensor, "prompt d_model"]:
        """The prompt as it is once training is over: without dropout between the LSTM's layers."""
        training = self.training
        prompt = self.eval()()
        self.train(training)
        return prompt


class EncodedPromptInput(EncodedLayer):
    """Around the source's way in, like PromptInput; the prompt is the encoder's output, or what was kept of it."""

    def __init__(self, base: nn.Module, encoder: PromptEncoder):
        super().__init__(base)
        self.encoder: PromptEncoder | None = encoder
        self.prompt_embeddings: nn.Parameter | None = None

    def forward(
        self, x: Float[Tensor, "batch source d_model"], mask: Bool[Tensor, "batch 1 1 source"]
    ) -> tuple[Float[Tensor, "batch memory d_model"], Bool[Tensor, "batch 1 1 memory"]]:
        """The base's vectors and mask with the prompt in front."""
        return in_front(self.prompt(), *self.base(x, mask))

    def prompt(self) -> Float[Tensor, "prompt d_model"]:
        """What the encoder makes; once it is gone, what was kept of it."""
        return self.prompt_embeddings if self.encoder is None else self.encoder()

    def saved(self) -> dict[str, Tensor]:
        """The prompt: the encoder is not kept."""
        return {KEY: self.encoder.result() if self.encoder is not None else self.prompt_embeddings.detach()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """What was saved is the encoder's output, so there is no encoder afterwards."""
        self.drop_encoder()
        super().load(tensors)

    def drop_encoder(self) -> None:
        """Keeps the encoder's output as a parameter, trained if the encoder was; does nothing where it is gone already."""
        if self.encoder is not None:
            self.prompt_embeddings = nn.Parameter(self.encoder.result(), self.encoder.embedding.requires_grad)
            self.encoder = None


@dataclass(frozen=True)
class PTuningConfig(EncodedPromptFiles, VirtualTokensConfig):
    """HF's names; there this is PromptEncoderConfig.

    `num_virtual_tokens`                    p, how many vectors
    `encoder_reparameterization_type`       "MLP" or "LSTM"
    `encoder_hidden_size`                   h; d_model unless it is given
    `encoder_num_layers`                    layers of the LSTM
    `encoder_dropout`                       between the LSTM's layers
    """

    encoder_reparameterization_type: str = "MLP"
    encoder_hidden_size: int | None = None
    encoder_num_layers: int = 2
    encoder_dropout: float = 0.0
    peft_type: ClassVar[str] = "P_TUNING"

    def check(self) -> None:
        """Raises ValueError for an unknown encoder, impossible sizes, and what the MLP does not have."""
        super().check()
        kind = self.encoder_reparameterization_type
        if kind not in ENCODERS:
            raise ValueError(f"encoder_reparameterization_type is one of {', '.join(ENCODERS)}, not {kind!r}")
        check_size("encoder_num_layers", self.encoder_num_layers, MOST_LAYERS)
        check_size("encoder_hidden_size", self.encoder_hidden_size)
        if not 0.0 <= self.encoder_dropout < 1.0:
            raise ValueError(f"encoder_dropout is a probability in [0, 1), not {self.encoder_dropout}")
        if kind == "MLP" and (self.encoder_num_layers != 2 or self.encoder_dropout):
            raise ValueError(
                f"encoder_num_layers {self.encoder_num_layers} and encoder_dropout {self.encoder_dropout} are the LSTM's; "
                "the MLP has three layers and no dropout"
            )

    def place(self, model: nn.Module) -> Placement:
        """The encoder's prompt around the source's way in."""
        self.check_room(model)
        encoder = PromptEncoder(
            self.num_virtual_tokens,
            model.config.d_model,
            self.encoder_hidden_size or model.config.d_model,
            self.encoder_reparameterization_type,
            self.encoder_num_layers,
            self.encoder_dropout,
        )
        targets = self.named(model, ("source_input",))
        return Placement({path: EncodedPromptInput(base, encoder) for path, base in targets.items()})


PromptEncoderConfig = PTuningConfig
