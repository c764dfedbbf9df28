"""Published checkpoints in our own blocks: `load_pretrained(folder)` (README.md says which, and what maps to what).

Read in this order: folder, parts, settings, encoder_decoder, marian, bart, bert, gpt2, load.
"""

from transformer.pretrained.load import load_pretrained

__all__ = ["load_pretrained"]
