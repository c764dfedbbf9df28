"""GGUF: a language model in one file, its settings, its tokenizer and its weights in 4, 8, 16 or 32 bits.

    file = read_gguf("SmolLM2-135M-Instruct.Q4_1.gguf")
    file.config["hidden_size"], file.tensors["model.norm.weight"], file.tokenizer.tokens, file.chat_template

Read in this order: blocks, container, hf_config, hf_names, vocabulary, file. Source: ggml's docs/gguf.md.
"""

from transformer.pretrained.gguf.file import GGUFFile, read_gguf
from transformer.pretrained.gguf.vocabulary import Vocabulary

__all__ = ["GGUFFile", "Vocabulary", "read_gguf"]
