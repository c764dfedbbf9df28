"""Hugging Face checkpoints and GGUF files in our own blocks: `load_pretrained(folder)` (README.md says which, and what maps to what).

Read in this order: folder, origins, family, settings, encoder_decoder, marian, bart, bert, gpt2, rope, llama, load; then layer_names,
adapter_folder and adapters for adapters that travel.
"""

from transformer.pretrained.adapters import adapter_from_hf, adapter_to_hf
from transformer.pretrained.load import load_pretrained

__all__ = ["adapter_from_hf", "adapter_to_hf", "load_pretrained"]
