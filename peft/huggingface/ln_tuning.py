"""LayerNorm tuning in Hugging Face PEFT's folders: a norm is saved from inside a layer called ln_tuning_layers."""

from peft.frame.config import PeftConfig


class LNTuningFiles(PeftConfig):
    """An LNTuningConfig's way into a folder and back."""

    def key(self, path: str, name: str) -> str:
        """The norms have a path of HF's; what is trained besides them does not."""
        return super().key(path, f"ln_tuning_layers.{name}" if path.endswith("norm") else name)
