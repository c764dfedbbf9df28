"""Published checkpoints in our own blocks: `load_pretrained(folder)` (README.md says which, and what maps to what).

Read in this order: folder, parts, settings, encoder_decoder, marian, bart, bert, gpt2, load, layer_names, adapters.
"""

from transformer.pretrained.adapters import adapter_to_ours, adapter_to_published
from transformer.pretrained.load import load_pretrained

__all__ = ["adapter_to_ours", "adapter_to_published", "load_pretrained"]
